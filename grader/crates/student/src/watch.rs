//! `watch`: check again at every save, on a full screen.
//!
//! One loop sleeps in one poll(2) for everything that can happen: a key, a signal, a saved file,
//! news from the check. The check itself is this program once more, in a process group of its
//! own, so that a save in the middle of it ends it, compiler and boxes included.

mod checking;
mod saved;
mod screen;
mod terminal;

use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::cli::WatchArgs;
use crate::show;
use crate::tree::{Lab, Tree};
use crate::{hint, tell};
use checking::{Checking, News};
use saved::Saved;
use screen::Screen;
use terminal::{Key, Terminal};

/// How the watch came to its end.
enum End {
    /// The student has seen enough.
    Quit,
    /// The terminal is gone.
    NoTerminal,
    /// Somebody asked us to end.
    Asked(Signal),
}

/// Watches a lab until the student quits.
pub(crate) fn run(args: &WatchArgs) -> Result<ExitCode> {
    let here = std::env::current_dir().context("the current folder")?;
    let tree = Tree::around(&here)?;
    let lab = match &args.lab {
        Some(name) => match tree.named(name) {
            Ok(lab) => lab,
            Err(error) => {
                show::status(error);
                return Ok(ExitCode::from(2));
            }
        },
        None => tree.lab_at(&here).unwrap_or(&tree.labs[0]),
    };
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        show::status("watch needs a terminal; without one, use `cargo lab check`");
        return Ok(ExitCode::from(crate::NOT_RUN));
    }
    let terminal = Terminal::enter().context("setting up the terminal")?;
    let mut watch = Watch::new(&tree, lab)?;
    let ended = watch.until_the_end(&terminal);
    drop(terminal);
    if let Some(progress) = watch.screen.progress() {
        show::line(format_args!(
            "{}: {}",
            watch.lab.name,
            tell::facts(progress)
        ));
    }
    match ended? {
        End::Quit => Ok(ExitCode::SUCCESS),
        End::NoTerminal => Ok(ExitCode::from(crate::NOT_RUN)),
        End::Asked(signal) => terminal::die_by(signal),
    }
}

struct Watch<'a> {
    tree: &'a Tree,
    lab: &'a Lab,
    saved: Saved,
    checking: Option<Checking>,
    screen: Screen,
}

impl<'a> Watch<'a> {
    fn new(tree: &'a Tree, lab: &'a Lab) -> Result<Self> {
        Ok(Self {
            tree,
            lab,
            saved: Saved::of(&lab.folder).context("watching the lab's files")?,
            checking: None,
            screen: Screen::of(lab),
        })
    }

    fn until_the_end(&mut self, terminal: &Terminal) -> Result<End> {
        self.check_again()?;
        loop {
            terminal.draw(|width, height| self.screen.rows(width, height));
            let ready = self.wait(terminal)?;
            if ready.signal {
                match terminal.signal() {
                    Some(Signal::SIGWINCH) | None => {}
                    Some(signal) => return Ok(End::Asked(signal)),
                }
            }
            if ready.key {
                let Some(keys) = terminal.keys() else {
                    return Ok(End::NoTerminal);
                };
                for key in keys {
                    match key {
                        Key::Quit => return Ok(End::Quit),
                        Key::Again => self.check_again()?,
                        Key::Hint => self.hint()?,
                        Key::Next => self.next()?,
                    }
                }
            }
            if self.saved.has_changed(ready.saved) {
                self.check_again()?;
            } else if ready.news {
                self.hear();
            }
        }
    }

    fn wait(&self, terminal: &Terminal) -> Result<Ready> {
        let fds: Vec<Option<BorrowedFd<'_>>> = vec![
            Some(terminal.input()),
            Some(terminal.signals()),
            self.saved.notifier(),
            self.checking
                .as_ref()
                .map(|checking| checking.news_fd().as_fd()),
        ];
        let mut polled: Vec<PollFd<'_>> = fds
            .iter()
            .flatten()
            .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
            .collect();
        let timeout = PollTimeout::try_from(self.saved.patience()).unwrap_or(PollTimeout::MAX);
        match poll(&mut polled, timeout) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error).context("waiting for keys and files"),
        }
        let mut answers = polled.iter().map(|fd| fd.any().unwrap_or(false));
        let mut is_ready =
            |fd: &Option<BorrowedFd<'_>>| fd.is_some() && answers.next() == Some(true);
        Ok(Ready {
            key: is_ready(&fds[0]),
            signal: is_ready(&fds[1]),
            saved: is_ready(&fds[2]),
            news: is_ready(&fds[3]),
        })
    }

    fn check_again(&mut self) -> Result<()> {
        // The old one first: two at a time would wait for each other's build.
        self.checking = None;
        self.checking = Some(Checking::start(self.tree, self.lab).context("starting a check")?);
        self.screen.begins();
        Ok(())
    }

    fn hear(&mut self) {
        let Some(checking) = &mut self.checking else {
            return;
        };
        match checking.news() {
            News::Events(events) => events.into_iter().for_each(|event| self.screen.take(event)),
            News::End { events, complaint } => {
                events.into_iter().for_each(|event| self.screen.take(event));
                self.checking = None;
                self.screen.ends(complaint);
            }
        }
    }

    fn hint(&mut self) -> Result<()> {
        if let Some(test) = self.screen.focus() {
            let told = hint::take(self.tree, &self.lab.name, &test)?;
            self.screen.tell_hints(&test, told);
        }
        Ok(())
    }

    /// The next failing test; without one, the next lab.
    fn next(&mut self) -> Result<()> {
        if !self.screen.is_all_green() {
            self.screen.focus_next();
            return Ok(());
        }
        let order = self.lab.about.order;
        if let Some(lab) = self.tree.labs.iter().find(|lab| lab.about.order > order) {
            *self = Self::new(self.tree, lab)?;
            self.check_again()?;
        }
        Ok(())
    }
}

/// What can be done without waiting.
struct Ready {
    key: bool,
    signal: bool,
    saved: bool,
    news: bool,
}
