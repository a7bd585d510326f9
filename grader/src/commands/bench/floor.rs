//! One submission at a time, beside the bare compilers and the bare hidden tests.

use anyhow::{Result, ensure};
use pipeline::{Cost, Made, cost};

use super::Bench;
use super::table::{Goal, Table, median};

/// Ratios of pairs, each measured in turn.
#[derive(Default)]
struct Ratios {
    cpu: Vec<f64>,
    wall: Vec<f64>,
}

impl Ratios {
    fn add(&mut self, ours: Cost, floor: Cost) {
        self.cpu
            .push(ours.cpu.as_secs_f64() / floor.cpu.as_secs_f64());
        self.wall
            .push(ours.wall.as_secs_f64() / floor.wall.as_secs_f64());
    }

    fn tell(self, table: &mut Table, what: &str, goal: Goal) {
        let note = format!(
            "of {} pairs, CPU; wall {:.3}",
            self.cpu.len(),
            median(self.wall)
        );
        table.ratio(what, median(self.cpu), Some(goal), note);
    }
}

pub(super) fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let (mut two, mut three, mut whole, mut broken) = <(Ratios, Ratios, Ratios, Ratios)>::default();
    let workbench = bench.workbench()?;
    for pair in 0..bench.args.pairs {
        let sources = bench.variant(pair);
        let (is_built, ours) = cost(|| workbench.build(&sources));
        ensure!(is_built?, "the reference does not compile");
        let (_, bare_two) = cost(|| workbench.bare_build(&sources, 2));
        let (is_built, bare_three) = cost(|| workbench.bare_build(&sources, 3));
        ensure!(is_built?, "the reference does not compile without a box");
        two.add(ours, bare_two);
        three.add(ours, bare_three);

        let wrong = pipeline::vary(&bench.reference, pair, Made::Broken);
        let (is_built, refused) = cost(|| workbench.build(&wrong));
        ensure!(!is_built?, "a type error compiles");
        broken.add(refused, ours);

        let (done, bare) = cost(|| workbench.bare_grade(&sources));
        done?;
        let (n_passed, ours) = cost(|| workbench.grade(&sources));
        let (n_passed, n_tests) = (n_passed?, bench.kit.rubric.rows.len());
        ensure!(
            n_passed == n_tests,
            "the reference passes {n_passed} of {n_tests}"
        );
        whole.add(ours, bare);
    }
    two.tell(
        table,
        "compile phase / bare rustc of library and program",
        Goal::AtMost(1.05),
    );
    three.tell(
        table,
        "compile phase / the same three bare rustc",
        Goal::AtMost(1.05),
    );
    whole.tell(
        table,
        "whole grade / bare rustc + bare hidden tests",
        Goal::AtMost(1.15),
    );
    broken.tell(table, "type error / good build", Goal::AtMost(0.4));
    Ok(())
}
