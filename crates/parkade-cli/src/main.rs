//! The program `parkade`.

#![forbid(unsafe_code)]

mod bench;
mod parse;
mod sim;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools around the Parkade locks.
#[derive(Debug, Parser)]
#[command(name = "parkade", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Bench(Box<bench::args::Args>),
    Sim(Box<sim::args::Args>),
    /// Keeps a processor busy until its input ends.
    #[command(name = bench::noise::COMMAND, hide = true)]
    Noise,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Bench(args) => bench::run(*args),
        Command::Sim(args) => sim::run(*args),
        Command::Noise => {
            bench::noise::make();
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(bench::exit_code(&error))
        }
    }
}
