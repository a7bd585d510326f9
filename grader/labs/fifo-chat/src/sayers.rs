//! Part 4 with many writers at once: no line is torn and none is lost.

use std::collections::BTreeMap;
use std::io::Read;

use harness::inject::{HeldUntil, Until, inject, write};
use harness::{Bench, Check, Input, Launch, Process, ensure, ensure_eq, wrong};
use nix::fcntl::{FcntlArg, fcntl};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::chat::{Chat, make_fifo, reader_of};

/// Lines that each sayer says.
const LINES: usize = 25;

/// How long the lines of one sayer are, newline included. Those near 4096 that are no part of a
/// page are torn most easily.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        3 => 3000..=4095_usize,
        1 => Just(4096),
        1 => 1365..=2730_usize,
        1 => 60..200_usize,
    ]
}

/// First in the worst order, then with two to five programs that say 25 lines each into a FIFO of
/// four pages, while the hub reads slowly, in pieces of its own choice.
pub(crate) fn lines_of_many_sayers_stay_whole(bench: &Bench) -> Check {
    lines_said_in_turn_stay_whole(bench)?;
    let sayers = vec(length(), 2..=5);
    bench.property(8, (sayers, any::<u16>()), |(lengths, step)| {
        let chat = Chat::new(bench)?;
        let path = chat.fifo("hub");
        make_fifo(&path)?;
        let mut hub = reader_of(&path)?;
        fcntl(&hub, FcntlArg::F_SETPIPE_SZ(4 * 4096))?;

        let mut said = BTreeMap::new();
        let mut sayers = Vec::new();
        for (index, &n_bytes) in lengths.iter().enumerate() {
            let nick = format!("s{index}");
            let texts = texts(&chat, &nick, n_bytes);
            sayers.push(sayer(&chat, &nick, &texts)?.start()?);
            said.insert(nick, texts);
        }
        let heard = hear(bench, &mut hub, &sayers, 500 + usize::from(step % 7000))?;
        for sayer in sayers {
            sayer
                .finish()?
                .expect_code(0, "with others saying lines at the same time")?;
        }
        compare(&said, &heard)
    })
}

/// Ann's second write waits until Bob has made his first. Where a line takes two, his begins in the
/// middle of hers, every time.
fn lines_said_in_turn_stay_whole(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let path = chat.fifo("hub");
    make_fifo(&path)?;
    let mut hub = reader_of(&path)?;
    let second = |nick| write().named(path.to_string_lossy()).by(nick).nth(2);
    let hold = HeldUntil(Until::Reached(Box::new(second("bob"))));
    let watch = bench.watch(inject(second("ann"), hold), &[])?;

    let mut said = BTreeMap::new();
    let mut sayers = Vec::new();
    for nick in ["ann", "bob"] {
        let texts = texts(&chat, nick, 100);
        let sayer = sayer(&chat, nick, &texts)?;
        sayers.push(sayer.watched(&watch, nick).start()?);
        said.insert(nick.to_owned(), texts);
    }
    let heard = hear(bench, &mut hub, &sayers, 4096)?;
    for sayer in sayers {
        let done = sayer.finish()?;
        done.expect_code(0, "while another one says lines between its own")?;
    }
    compare(&said, &heard)
}

/// A program that will say these texts, a line each.
fn sayer(chat: &Chat<'_>, nick: &str, texts: &[String]) -> Check<Launch> {
    let input = chat.dir.join(format!("{nick}.txt"));
    std::fs::write(&input, texts.join("\n"))?;
    let input = Input::Fd(std::fs::File::open(&input)?.into());
    let say = chat.program("say").args(["--nick", nick]);
    Ok(say.stdin(input))
}

/// The texts of one sayer, each of which makes a line of `n_bytes`: its number, then what nobody could know.
fn texts(chat: &Chat<'_>, nick: &str, n_bytes: usize) -> Vec<String> {
    let secret = chat.line(nick);
    let secret = &secret[nick.len() + 1..];
    let room = n_bytes - nick.len() - "\t\n".len();
    (0..LINES)
        .map(|index| {
            let numbered = format!("{index:02}-{secret}-");
            numbered.chars().cycle().take(room).collect()
        })
        .collect()
}

/// Reads the FIFO in pieces of `step` bytes until every sayer has ended.
fn hear(bench: &Bench, hub: &mut std::fs::File, sayers: &[Process], step: usize) -> Check<Vec<u8>> {
    let mut heard = Vec::new();
    let mut piece = vec![0; step];
    bench.until(|| {
        let all_ended = sayers.iter().all(|sayer| sayer.exit().is_some());
        while let Ok(n_read @ 1..) = hub.read(&mut piece) {
            heard.extend_from_slice(&piece[..n_read]);
        }
        all_ended
    });
    Ok(heard)
}

/// A finding unless the lines heard are those said, each sayer's in their order.
fn compare(said: &BTreeMap<String, Vec<String>>, heard: &[u8]) -> Check {
    let mut by_nick: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let heard = String::from_utf8_lossy(heard);
    for line in heard.lines() {
        let whole = line.split_once('\t').filter(|(nick, text)| {
            said.get(*nick)
                .is_some_and(|texts| texts.iter().any(|said| said == text))
        });
        let Some((nick, text)) = whole else {
            return Err(wrong(
                "a line that the hub reads while several programs say lines",
                "a line that one of them said",
                format!(
                    "{} bytes that nobody said so: {}",
                    line.len(),
                    shortened(line)
                ),
            ));
        };
        by_nick.entry(nick).or_default().push(text);
    }
    for (nick, texts) in said {
        let heard = by_nick.remove(nick.as_str()).unwrap_or_default();
        ensure_eq(
            format!("how many lines of {nick} the hub reads"),
            texts.len(),
            heard.len(),
        )?;
        let what = format!("the lines of {nick} that the hub reads");
        ensure(
            *texts == heard,
            what,
            "in the order in which they were said",
            "in another",
        )?;
    }
    Ok(())
}

fn shortened(line: &str) -> String {
    let tabs = line.matches('\t').count();
    let start: String = line.chars().take(40).collect();
    format!("{start:?}…, with {tabs} tabs")
}
