//! Tasks of the house: everything that `.ci/run` checks, and the tools that are too slow or too
//! special for every push. `cargo xtask help` lists them.

mod api;
mod churn;
mod ci;
mod compat;
mod dependents;
mod instructions;
mod models;
mod originals;
mod programs;
mod shell;
mod weaken;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Tasks of the house")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run what `.ci/run` runs and print a summary
    Ci(ci::Args),
    /// Run the loom models
    Loom(models::Args),
    /// Weaken each memory ordering in turn and demand that a model fails
    Weaken(weaken::Args),
    /// Count the instructions of an uncontended lock and unlock, ours and those of the rivals
    Instructions(instructions::Args),
    /// Build and test the packages that stand in for parking_lot and parking_lot_core
    Compat(compat::Args),
    /// Compare our interface with those of parking_lot
    Api(api::Args),
    /// Run the published tests of crates that use parking_lot, with ours in its place
    Dependents(dependents::Args),
    /// Run parking_lot's own tests over the packages that stand in for it
    Originals(originals::Args),
    /// Create and join a million threads that contend for a lock, and look at the memory
    Churn(churn::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Ci(args) => ci::run(&args),
        Task::Loom(args) => models::run(&args),
        Task::Weaken(args) => weaken::run(&args),
        Task::Instructions(args) => instructions::run(&args),
        Task::Compat(args) => compat::run(&args),
        Task::Api(args) => api::run(&args),
        Task::Dependents(args) => dependents::run(&args),
        Task::Originals(args) => originals::run(&args),
        Task::Churn(args) => churn::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
