//! Running other programs.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What a task ends with: nothing, or a sentence for the person who started it.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// The target directory that cargo was told to use, or the default one.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => root().join(target),
        None => root().join("target"),
    }
}

/// The cargo that started us, in the folder of the workspace.
pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args(args).stdin(Stdio::null());
    cargo
}

/// Gives `command` its own flags for rustc, and a folder of the target directory that no build
/// with other flags touches.
pub(crate) fn configure(command: &mut Command, flags: &str, folder: &str) {
    let flags = match env::var("RUSTFLAGS") {
        Ok(given) => format!("{given} {flags}"),
        Err(_) => flags.to_owned(),
    };
    command.env("RUSTFLAGS", flags).env("CARGO_TARGET_DIR", target().join(folder));
}

/// The command as one would type it, environment included.
fn as_typed(command: &Command) -> String {
    let environment = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={:?}", name.to_string_lossy(), value?.to_string_lossy()))
    });
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    let words = words.map(|word| word.to_string_lossy().into_owned());
    environment.chain(words).collect::<Vec<_>>().join(" ")
}

/// Shows the command, runs it, and demands success.
pub(crate) fn run(command: &mut Command) -> Outcome {
    println!("$ {}", as_typed(command));
    let status = command.status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", as_typed(command))) }
}

/// Runs the command, demands success, and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(command, &error))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{}: {}", as_typed(command), output.status))
    }
}

/// How a program ended that had only so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Success,
    Failure,
    Timeout,
}

/// Runs a program without a word, for `limit` at most.
pub(crate) fn quietly(command: &mut Command, limit: Duration) -> Outcome<End> {
    end(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()), limit)
}

/// Shows the command and runs it, for `limit` at most.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Outcome<End> {
    println!("$ {}", as_typed(command));
    end(command, limit)
}

/// Runs the command; what it has started itself ends with it if there is too little time.
fn end(command: &mut Command, limit: Duration) -> Outcome<End> {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let mut child = command.spawn().map_err(|error| cannot_start(command, &error))?;
    match wait(&mut child, limit) {
        Ok(Some(status)) if status.success() => Ok(End::Success),
        Ok(Some(_)) => Ok(End::Failure),
        Ok(None) => {
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = child.kill();
            let _ = child.wait();
            Ok(End::Timeout)
        }
        Err(error) => Err(format!("waiting for {}: {error}", as_typed(command))),
    }
}

fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > limit {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn cannot_start(command: &Command, error: &io::Error) -> String {
    format!("cannot start {}: {error}", command.get_program().to_string_lossy())
}

/// Prints rows in columns under their headers.
pub(crate) fn print_table(header: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.chain([header[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..header.len()).map(width).collect();
    let print = |cells: &mut dyn Iterator<Item = &str>| {
        let line: Vec<_> =
            cells.zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        println!("{}", line.join("  ").trim_end());
    };
    print(&mut header.iter().copied());
    for row in rows {
        print(&mut row.iter().map(String::as_str));
    }
}
