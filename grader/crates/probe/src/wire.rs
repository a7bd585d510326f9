//! The bytes on the socket: a count, then length and bytes of each field, all little endian.

use std::io::{self, Read, Write};

use crate::{Call, Fields};

/// Longest message either side accepts: a probe gone mad cannot make the test allocate more.
const MAX_BYTES: u32 = 64 << 20;

/// What a called function returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `Ok`, or a function that cannot fail.
    Value(Fields),
    /// `Err`, taken apart.
    Error {
        /// The `ErrorKind` as `{:?}` shows it.
        kind: String,
        /// The errno, if the error came from the kernel.
        errno: Option<i32>,
        /// The error's own words.
        text: String,
    },
}

/// Sends one call to a probe.
///
/// # Errors
/// Those of the socket: the probe may have ended.
pub fn write_call(socket: &mut impl Write, name: &str, args: &Fields) -> io::Result<()> {
    let mut fields = vec![name.as_bytes().to_vec()];
    fields.extend_from_slice(&args.0);
    write_fields(socket, &fields)
}

/// Receives one answer from a probe; `None` when the probe closed its end.
///
/// # Errors
/// Those of the socket, and `InvalidData` for an answer that is none.
pub fn read_reply(socket: &mut impl Read) -> io::Result<Option<Reply>> {
    let Some(mut fields) = read_fields(socket)? else {
        return Ok(None);
    };
    if fields.is_empty() {
        return Err(invalid("an answer without a status"));
    }
    let values = Fields(fields.split_off(1));
    match fields[0].as_slice() {
        b"value" => Ok(Some(Reply::Value(values))),
        b"error" => Ok(Some(Reply::Error {
            kind: String::from_utf8_lossy(values.get(0)).into_owned(),
            errno: values.parse(1),
            text: String::from_utf8_lossy(values.get(2)).into_owned(),
        })),
        _ => Err(invalid("an answer with an unknown status")),
    }
}

pub(crate) fn read_call(socket: &mut impl Read) -> io::Result<Option<Call>> {
    let Some(mut fields) = read_fields(socket)? else {
        return Ok(None);
    };
    if fields.is_empty() {
        return Err(invalid("a call without a name"));
    }
    let args = Fields(fields.split_off(1));
    let name =
        String::from_utf8(fields.remove(0)).map_err(|_| invalid("a name that is no text"))?;
    Ok(Some(Call { name, args }))
}

pub(crate) fn write_answer(socket: &mut impl Write, answer: io::Result<Fields>) -> io::Result<()> {
    let fields = match answer {
        Ok(values) => [vec![b"value".to_vec()], values.0].concat(),
        Err(error) => vec![
            b"error".to_vec(),
            format!("{:?}", error.kind()).into_bytes(),
            error
                .raw_os_error()
                .map(|errno| errno.to_string())
                .unwrap_or_default()
                .into_bytes(),
            error.to_string().into_bytes(),
        ],
    };
    write_fields(socket, &fields)
}

fn write_fields(socket: &mut impl Write, fields: &[Vec<u8>]) -> io::Result<()> {
    let mut message = Vec::new();
    message.extend_from_slice(&(fields.len() as u32).to_le_bytes());
    for field in fields {
        message.extend_from_slice(&(field.len() as u32).to_le_bytes());
        message.extend_from_slice(field);
    }
    socket.write_all(&message)
}

fn read_fields(socket: &mut impl Read) -> io::Result<Option<Vec<Vec<u8>>>> {
    let mut first = [0; 1];
    let n_read = loop {
        match socket.read(&mut first) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    if n_read == 0 {
        return Ok(None);
    }
    let mut rest = [0; 3];
    socket.read_exact(&mut rest)?;
    let n_fields = u32::from_le_bytes([first[0], rest[0], rest[1], rest[2]]);
    let mut left = MAX_BYTES;
    let mut fields = Vec::new();
    for _ in 0..n_fields {
        let mut length = [0; 4];
        socket.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        // Every field costs its header too, so that a huge count of empty ones ends as well.
        left = left
            .checked_sub(length.saturating_add(4))
            .ok_or_else(|| invalid("a message over 64 MiB"))?;
        let mut field = vec![0; length as usize];
        socket.read_exact(&mut field)?;
        fields.push(field);
    }
    Ok(Some(fields))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_and_its_answers_survive_the_wire() {
        let mut bytes = Vec::new();
        let args = Fields::new().value(7).bytes([0, 255]).value("text");
        write_call(&mut bytes, "read_full", &args).unwrap();
        let call = read_call(&mut bytes.as_slice()).unwrap().unwrap();
        assert_eq!(
            (call.name(), call.value::<u8>(0), call.bytes(1)),
            ("read_full", 7, &[0, 255][..])
        );

        let mut bytes = Vec::new();
        write_answer(&mut bytes, Err(io::Error::from_raw_os_error(32))).unwrap();
        let reply = read_reply(&mut bytes.as_slice()).unwrap().unwrap();
        assert!(
            matches!(reply, Reply::Error { kind, errno: Some(32), .. } if kind == "BrokenPipe")
        );
    }

    #[test]
    fn a_closed_socket_is_no_message_and_a_cut_one_is_an_error() {
        assert_eq!(read_reply(&mut &b""[..]).unwrap(), None);
        assert!(read_reply(&mut &b"\x01\0\0"[..]).is_err());
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_it_is_allocated() {
        let mut message = 1u32.to_le_bytes().to_vec();
        message.extend_from_slice(&u32::MAX.to_le_bytes());
        assert!(read_reply(&mut message.as_slice()).is_err());
    }
}
