//! On processors whose instructions are not understood: says so, instead of finding nothing.

use super::{Plan, Story, Unavailable};

/// Cannot be used here.
#[derive(Debug)]
pub struct Explorer {
    plan: Plan,
}

impl Explorer {
    /// Only remembers the plan.
    pub fn new(plan: Plan) -> Self {
        Self { plan }
    }

    /// Says that it cannot be done.
    ///
    /// # Errors
    /// Always.
    pub fn adopt(&mut self, _pid: i32, _name: &str) -> Result<(), Unavailable> {
        Err(Unavailable::Architecture)
    }

    /// Nothing ran, so nothing happened.
    pub fn run(self) -> Story {
        Story {
            plan: self.plan,
            happened: false,
            accesses: Vec::new(),
            ends: Vec::new(),
            ending: super::Ending::Ended,
            lines: Vec::new(),
            names: Vec::new(),
            steps: Vec::new(),
        }
    }
}
