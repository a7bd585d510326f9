//! Hangs on pipes and FIFOs.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write, copy, pipe};

use crate::{call_me, child, for_ever};

pub(crate) fn hang(way: &str, path: &str) -> bool {
    match way {
        "own-write-end" => {
            let (mut reader, writer) = pipe().unwrap();
            child("consumer", || drop(reader.read(&mut [0])));
            call_me("producer");
            let _open = writer;
            for_ever()
        }
        "full-pipe" => {
            let (reader, mut writer) = pipe().unwrap();
            call_me("filler");
            writer.write_all(&[0; 1 << 20]).unwrap();
            drop(reader);
        }
        "splice" => {
            let (mut from, _writer) = pipe().unwrap();
            let (_reader, mut to) = pipe().unwrap();
            copy(&mut from, &mut to).unwrap();
        }
        "fifo-read" => {
            let _keeper = OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .unwrap();
            call_me("reader");
            child("writer", || {
                let _fifo = File::create(path).unwrap();
                for_ever()
            });
            File::open(path).unwrap().read_exact(&mut [0]).unwrap();
        }
        "fifo-open-read" => drop(File::open(path)),
        "fifo-open-write" => drop(OpenOptions::new().write(true).open(path)),
        _ => return false,
    }
    true
}
