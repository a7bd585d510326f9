//! `check`: one lab or all, told on the terminal or as JSON.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::build::Words;
use crate::cli::CheckArgs;
use crate::event::Event;
use crate::session::{self, Options, SessionError};
use crate::show;
use crate::tell::Teller;
use crate::tree::{Lab, Tree};

/// Checks what was asked for.
pub(crate) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let here = std::env::current_dir().context("the current folder")?;
    let tree = Tree::around(&here)?;
    let labs = match choose(&tree, &here, args.lab.as_deref()) {
        Ok(labs) => labs,
        Err(error) => {
            show::status(error);
            return Ok(ExitCode::from(2));
        }
    };
    let options = Options {
        only: args.tests.clone(),
        isolation: args.isolation,
        words: match args.json {
            true => Words::Kept,
            false => Words::Shown,
        },
    };
    let mut worst = 0;
    // The first lab that is not finished is told in full, those after it in a line.
    let mut is_full = true;
    for lab in labs {
        let teller = Teller::new(&lab.about.hidden, is_full);
        let tell = |event: Event| match args.json {
            true => {
                let line = serde_json::to_string(&event).expect("an event is plain data");
                show::line(line);
            }
            false => teller.tell(&event),
        };
        let code = match session::check(&tree, lab, &options, &tell) {
            Ok(None) => 3,
            Ok(Some(progress)) if progress.n_faults > 0 => crate::NOT_RUN,
            Ok(Some(progress)) => u8::from(progress.next.is_some()),
            Err(error @ SessionError::Unknown { .. }) => {
                show::status(error);
                2
            }
            Err(error) => return Err(error.into()),
        };
        worst = worst.max(code);
        is_full &= code == 0;
    }
    Ok(ExitCode::from(worst))
}

/// The lab that was named, that of the current folder, or all.
fn choose<'a>(
    tree: &'a Tree,
    here: &Path,
    name: Option<&str>,
) -> Result<Vec<&'a Lab>, crate::tree::TreeError> {
    match name {
        Some(name) => Ok(vec![tree.named(name)?]),
        None => Ok(match tree.lab_at(here) {
            Some(lab) => vec![lab],
            None => tree.labs.iter().collect(),
        }),
    }
}
