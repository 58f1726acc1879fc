//! Test programs that cargo has built, to be run without it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::shell::{Outcome, output};

/// A program of tests.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// The folder of its package, where cargo runs it.
    pub(crate) folder: PathBuf,
}

impl Program {
    fn from_message(message: &Value) -> Option<Program> {
        // Examples are built by the way, and are no tests.
        if message["profile"]["test"] != true {
            return None;
        }
        let manifest = Path::new(message["manifest_path"].as_str()?);
        let path = message["executable"].as_str()?.into();
        Some(Program { path, folder: manifest.parent()?.to_owned() })
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.folder);
        command
    }
}

/// Builds what the `cargo test` command would run.
pub(crate) fn build(test: &mut Command) -> Outcome<Vec<Program>> {
    test.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let messages = output(test)?;
    let programs: Vec<_> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| Program::from_message(&message))
        .collect();
    if programs.is_empty() { Err("cargo built no test program".into()) } else { Ok(programs) }
}
