//! `course.toml` as it is written: every key there is, and no other.

use std::collections::BTreeMap;

use model::{NotTested, Reveal};
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CourseFile {
    #[serde(default)]
    pub(super) reveal: Reveal,
    #[serde(default)]
    pub(super) unavailable: NotTested,
    #[serde(default)]
    pub(super) late: Late,
    #[serde(default)]
    pub(super) labs: BTreeMap<Spanned<String>, Lab>,
    #[serde(default)]
    pub(super) handed_in: BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<Datetime>>>,
    #[serde(default, rename = "override")]
    pub(super) overrides: Vec<Spanned<Changed>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Late {
    pub(super) free_days: u32,
    pub(super) penalty_percent: Percent,
    pub(super) max_penalty_percent: Option<Percent>,
    pub(super) grace_minutes: u32,
}

/// 0 to 100.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "u32")]
pub(super) struct Percent(pub(super) u32);

impl TryFrom<u32> for Percent {
    type Error = String;

    fn try_from(percent: u32) -> Result<Self, String> {
        match percent {
            0..=100 => Ok(Self(percent)),
            _ => Err(format!("{percent} is more than 100 percent")),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lab {
    pub(super) weight: Option<u32>,
    pub(super) reveal: Option<Reveal>,
    pub(super) deadline: Option<Spanned<Datetime>>,
    #[serde(default)]
    pub(super) tests: BTreeMap<Spanned<String>, Test>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    pub(super) points: Option<u32>,
    pub(super) reveal: Option<Reveal>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Changed {
    pub(super) submission: Spanned<String>,
    pub(super) lab: Spanned<String>,
    pub(super) test: Option<Spanned<String>>,
    pub(super) points: Option<Spanned<u32>>,
    pub(super) late_days: Option<u32>,
    pub(super) author: Spanned<String>,
    pub(super) reason: Spanned<String>,
}
