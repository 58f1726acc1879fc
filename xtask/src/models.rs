//! `cargo xtask loom`: the models, and the model builds that `weaken` needs.

use std::{
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Instant,
};

use crate::{
    programs,
    shell::{Outcome, cargo, configure, output},
};

/// The test that prints the ledger of orderings of its crate.
pub(crate) const LEDGER: &str = "model_list_orderings";

/// Crates with models, and the feature that makes loom a dependency of theirs.
const PACKAGES: [&str; 6] =
    ["-p", "parkade-core", "-p", "parkade", "--features", "parkade-core/loom,parkade/loom"];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Run only the models whose name contains this
    #[arg(default_value = "model")]
    pub(crate) filter: String,
    /// How often a thread may be preempted in one execution, where a model does not say otherwise
    #[arg(long, default_value_t = PREEMPTIONS)]
    pub(crate) preemptions: u32,
}

/// Exploration beyond two preemptions grows by orders of magnitude; a model that needs more asks for
/// it itself, or says in its comment how many it takes to see what it is for. (guess)
pub(crate) const PREEMPTIONS: u32 = 2;

fn cargo_test() -> Command {
    let mut cargo = cargo(["test", "--profile", "models", "--lib"]);
    cargo.args(PACKAGES);
    configure(&mut cargo, "--cfg loom", "loom");
    cargo
}

/// One model: a test of one of the programs.
#[derive(Debug)]
pub(crate) struct Model {
    program: PathBuf,
    pub(crate) name: String,
}

impl Model {
    /// Every model of the programs.
    pub(crate) fn all(programs: &[PathBuf]) -> Outcome<Vec<Model>> {
        let is_model = |name: &str| name.contains("model") && !name.ends_with(LEDGER);
        let models = Model::of_name(programs, is_model)?;
        if models.is_empty() { Err("there are no models".into()) } else { Ok(models) }
    }

    /// Every mutant of the programs: a model of a wrong protocol, in a file `mutants.rs`.
    pub(crate) fn mutants(programs: &[PathBuf]) -> Outcome<Vec<Model>> {
        Model::of_name(programs, |name| name.contains("mutants::"))
    }

    fn of_name(programs: &[PathBuf], is_one: impl Fn(&str) -> bool) -> Outcome<Vec<Model>> {
        let mut models = Vec::new();
        for program in programs {
            let list = output(Command::new(program).args(["--list", "--format=terse"]))?;
            let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
            models.extend(
                names
                    .filter(|name| is_one(name))
                    .map(|name| Model { program: program.clone(), name: name.to_owned() }),
            );
        }
        Ok(models)
    }

    pub(crate) fn command(&self, preemptions: u32) -> Command {
        let mut command = Command::new(&self.program);
        // Mutants are ignored by a plain run of the tests.
        command.args([&*self.name, "--exact", "--test-threads=1", "--include-ignored"]);
        command.env("LOOM_MAX_PREEMPTIONS", preemptions.to_string());
        command
    }
}

/// Runs the models, as many at a time as there are processors: each is a process of its own,
/// because a model fixes the policy for its process.
pub(crate) fn run(args: &Args) -> Outcome {
    let mut models = Model::all(&build()?)?;
    models.retain(|model| model.name.contains(&args.filter));
    if models.is_empty() {
        return Err(format!("no model is called {}", args.filter));
    }
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(model) = models.get(next.fetch_add(1, Relaxed)) {
                    if !passes(model, args) {
                        failed.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    println!("\n{} passed, {failed} failed", models.len() - failed);
    if failed == 0 { Ok(()) } else { Err(format!("{failed} models fail")) }
}

/// Runs one model and prints how it went, and what it said if it failed.
fn passes(model: &Model, args: &Args) -> bool {
    let start = Instant::now();
    let result = model.command(args.preemptions).output();
    let seconds = start.elapsed().as_secs_f64();
    match result {
        Ok(output) if output.status.success() => {
            println!("{} ... ok ({seconds:.1} s)", model.name);
            true
        }
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            println!("{} ... FAILED\n{}", model.name, String::from_utf8_lossy(&said));
            false
        }
        Err(error) => {
            println!("{} ... cannot be run: {error}", model.name);
            false
        }
    }
}

/// Builds the model tests and returns the programs.
pub(crate) fn build() -> Outcome<Vec<PathBuf>> {
    let programs = programs::build(&mut cargo_test())?;
    Ok(programs.into_iter().map(|program| program.path).collect())
}
