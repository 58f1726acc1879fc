//! `parkade bench`.

pub(crate) mod args;
mod format;
pub(crate) mod noise;
mod output;
mod progress;
mod table;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use parkade_bench::machine::Machine;
use parkade_bench::report::{Report, SCHEMA, Settings, SubjectVersion};
use parkade_bench::stats::Verdict;

use args::{Args, Job, Usage};
use output::Target;

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<()> {
    match args.job()? {
        Job::List => {
            print!("{}", table::list());
            Ok(())
        }
        Job::Scenarios(plan) => {
            let json = args.json.as_deref().map(Target::check).transpose()?;
            let _noise = args.noise.then(noise::Noise::start).transpose()?;
            let started = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            eprintln!("{}", progress::announce(&plan));
            let progress = progress::Progress::new(&plan);
            let scenarios = plan.run(|step| progress.show(step));
            progress.finish();
            let report = Report {
                schema: SCHEMA,
                kind: "mutex".into(),
                started_unix: started,
                machine: Machine::this(),
                settings: Settings {
                    secs: plan.time.as_secs_f64(),
                    rounds: plan.rounds,
                    noise: args.noise,
                    seed: plan.seed,
                },
                subjects: plan
                    .subjects
                    .iter()
                    .map(|&name| SubjectVersion {
                        name,
                        version: name.version(),
                    })
                    .collect(),
                verdict: Verdict::of(&scenarios),
                scenarios,
            };
            print!("{}", table::report(&report));
            if let Some(target) = json {
                target.write(&serde_json::to_string_pretty(&report)?)?;
            }
            Ok(())
        }
    }
}

/// The program's exit code for an error: 2 where the user asked for something that is not there.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() { 2 } else { 1 }
}
