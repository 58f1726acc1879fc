//! `cargo xtask instructions`: what an uncontended lock and unlock executes.
//!
//! Time cannot gate a build on a shared machine, a count of instructions can: it is the same in
//! every run. The plain count alone would mislead: a release that is a store and a second look at
//! the queue has more instructions than one that is a locked one, and takes half the time. So each
//! locked instruction counts as [`LOCKED`] plain ones, and our sum may not exceed the best rival's.
//! Nor may our plain count creep upwards beyond [`PLAIN_MAX`].

use std::{fs, process::Command};

use crate::shell::{Outcome, cargo, output, print_table, target};

const EXAMPLE: &str = "instr_subjects";
const PREFIX: &str = "lock_unlock_";
const OURS: &str = "parkade";
/// Rows that are not rivals: what a call alone costs, and our other lock.
const NOT_RIVALS: [&str; 3] = ["nothing", "parkade", "parkade_fair"];
/// What a locked instruction costs, in plain ones: about 5 ns when nobody else has the line, as the
/// time of a loop of them shows, at two plain instructions a cycle (a guess, and a low one).
const LOCKED: f64 = 20.0;
/// Instructions that our lock and unlock had when this was last set, call and return included.
const PLAIN_MAX: f64 = 14.0;
/// Two numbers of calls; what comes once, such as the linking of a symbol, is not in the difference.
const CALLS: [u64; 2] = [1_000, 3_000];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the assembly of this subject, `parkade` when none is named
    #[arg(long, num_args = 0..=1, default_missing_value = OURS, value_name = "SUBJECT")]
    asm: Option<String>,
}

impl Args {
    /// The table, and the verdict.
    pub(crate) fn table() -> Args {
        Args { asm: None }
    }
}

/// What was counted of one subject.
#[derive(Debug)]
struct Count {
    subject: String,
    instructions: f64,
    /// Locked instructions that its function contains, where that can be seen: not in calls.
    locked: Option<usize>,
}

impl Count {
    /// What it costs, in plain instructions; where locked ones cannot be seen, at least that.
    fn cost(&self) -> f64 {
        self.instructions + self.locked.unwrap_or(0) as f64 * (LOCKED - 1.0)
    }
}

pub(crate) fn run(args: &Args) -> Outcome {
    let (mut build, program) = (
        cargo(["build", "--release", "-p", "xtask", "--example", EXAMPLE]),
        target().join("release/examples").join(EXAMPLE),
    );
    output(&mut build)?;
    let program = program.to_str().ok_or("the path of the target directory is not UTF-8")?;

    if let Some(subject) = &args.asm {
        println!("{}", assembly(program, subject)?);
        return Ok(());
    }

    let names = output(&mut Command::new(program))?;
    let mut counts = Vec::new();
    for name in names.lines() {
        let subject = name.strip_prefix(PREFIX).ok_or("a subject without the prefix")?;
        let [few, many] = [count(program, name, CALLS[0])?, count(program, name, CALLS[1])?];
        let instructions = (many - few) as f64 / (CALLS[1] - CALLS[0]) as f64;
        let text = assembly(program, subject)?;
        let locked = (!text.contains("pthread_mutex")).then(|| locked_instructions(&text));
        counts.push(Count { subject: subject.to_owned(), instructions, locked });
    }
    counts.sort_by(|a, b| a.cost().total_cmp(&b.cost()));
    let rows: Vec<_> = counts.iter().map(row).collect();
    print_table(&["subject", "instructions", "locked, without calls", "cost"], &rows);
    judge(&counts)
}

fn row(count: &Count) -> Vec<String> {
    let locked = count.locked.map_or("?".to_owned(), |locked| locked.to_string());
    let instructions = format!("{:.2}", count.instructions);
    vec![count.subject.clone(), instructions, locked, format!("{:.0}", count.cost())]
}

fn judge(counts: &[Count]) -> Outcome {
    let ours = counts.iter().find(|count| count.subject == OURS).ok_or("ours was not counted")?;
    let best = counts
        .iter()
        .find(|count| !NOT_RIVALS.contains(&count.subject.as_str()))
        .ok_or("no rival was counted")?;
    let advice = "see `cargo xtask instructions --asm`";
    if cfg!(target_arch = "x86_64") && ours.locked != Some(1) {
        return Err(format!(
            "the fast path should contain one locked instruction, not {:?}; {advice}",
            ours.locked
        ));
    }
    if ours.cost() > best.cost() {
        return Err(format!(
            "a lock and unlock costs {:.0}, that of {} {:.0}; {advice}",
            ours.cost(),
            best.subject,
            best.cost()
        ));
    }
    if ours.instructions > PLAIN_MAX {
        return Err(format!(
            "a lock and unlock takes {:.2} instructions, it was {PLAIN_MAX}; {advice}",
            ours.instructions
        ));
    }
    Ok(())
}

/// Instructions executed in `function`, calls included, while the program calls it `calls` times.
fn count(program: &str, function: &str, calls: u64) -> Outcome<u64> {
    let folder = target().join("instructions");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let file = folder.join(format!("{function}.{calls}.out"));
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["-q", "--tool=callgrind", "--collect-atstart=no"])
        .arg(format!("--toggle-collect={function}"))
        .arg(format!("--callgrind-out-file={}", file.display()))
        .args([program, function, &calls.to_string()]);
    output(&mut valgrind)?;
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    let total = total.ok_or_else(|| format!("{} has no total", file.display()))?;
    // Inlined or renamed, the function would count as nothing and win.
    if total < calls { Err(format!("{function} was not found by callgrind")) } else { Ok(total) }
}

fn assembly(program: &str, subject: &str) -> Outcome<String> {
    let symbol = format!("--disassemble={PREFIX}{subject}");
    let text = output(Command::new("objdump").args(["--no-show-raw-insn", &symbol, program]))?;
    let name = format!("<{PREFIX}{subject}>:");
    let start = text.find(&name).ok_or_else(|| format!("no subject is called {subject}"))?;
    let start = text[..start].rfind('\n').map_or(0, |end| end + 1);
    Ok(text[start..].split("\n\n").next().unwrap_or_default().to_owned())
}

/// Instructions that lock the bus or its modern equivalent: prefixed ones, and an exchange with
/// memory, which is locked without a prefix.
fn locked_instructions(assembly: &str) -> usize {
    let is_locked = |line: &&str| {
        let exchange = line.contains("xchg") && !line.contains("cmpxchg") && line.contains('(');
        line.contains("lock ") || exchange
    };
    assembly.lines().skip(1).filter(is_locked).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_instructions_are_told_from_padding_and_plain_ones() {
        let assembly = "0000000000001000 <lock_unlock_x>:\n\
            1000:\tlock cmpxchg %cl,0x10(%rip)        # 2000 <LOCK>\n\
            1008:\txchg   %al,(%rdi)\n\
            100a:\txchg   %ax,%ax\n\
            100c:\tmovb   $0x0,0x10(%rip)\n\
            1012:\tret";
        assert_eq!(locked_instructions(assembly), 2);
    }
}
