//! `cargo xtask weaken`: do the models prove anything about the orderings?
//!
//! In a model build every ordering that is not relaxed has an id, and `PARKADE_WEAKEN=ID` makes
//! that one relaxed (`ID:acquire` and `ID:release` take one half away). Each is weakened in turn.
//! If all the models still pass, either the ordering is stronger than needed or a model is missing.
//!
//! Mistakes that are not a matter of an ordering have models of their own, the mutants
//! (`mutants.rs`): each of these has to fail too.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    models::{self, LEDGER, Model},
    shell::{End, Outcome, output, print_table, quietly, root},
};

/// Orderings that may survive, each with a reason.
const EXEMPT: &str = "xtask/weaken-exempt.txt";
/// A table of orderings, each with a model that fails without it: that one is asked first.
const NAMED: &str = "docs/ordering.md";
/// Seconds, many times what the models take together. (guess)
const TIMEOUT_S: u64 = 600;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Weaken only these, for example `B1` or `N1:release`; `mutants` stands for the mutants
    ids: Vec<String>,
    /// List the orderings and stop
    #[arg(long)]
    list: bool,
    /// Seconds for all the models of one weakened ordering
    #[arg(long, default_value_t = TIMEOUT_S)]
    timeout_s: u64,
    /// Do not run the models with nothing weakened first: they are known to pass
    #[arg(long)]
    trust_models: bool,
    /// How many orderings to try at the same time
    #[arg(long)]
    jobs: Option<usize>,
    /// How often a thread may be preempted in one execution, where a model does not say otherwise
    #[arg(long, default_value_t = models::PREEMPTIONS)]
    preemptions: u32,
}

impl Args {
    /// Everything, within the usual limits, after the models have passed.
    pub(crate) fn all() -> Args {
        Args {
            ids: Vec::new(),
            list: false,
            trust_models: true,
            timeout_s: TIMEOUT_S,
            jobs: None,
            preemptions: models::PREEMPTIONS,
        }
    }
}

/// One entry of the ledger.
#[derive(Debug, Clone)]
struct Ordering {
    id: String,
    order: String,
    pairs: String,
}

/// An ordering, or one half of it, taken away.
#[derive(Debug, Clone)]
struct Weakening {
    /// What `PARKADE_WEAKEN` is set to.
    name: String,
    ordering: Ordering,
}

impl Weakening {
    fn all_of(ordering: &Ordering) -> Vec<Weakening> {
        let halves: &[&str] = match ordering.order.as_str() {
            "AcqRel" => &[":acquire", ":release"],
            _ => &[""],
        };
        let name = |half: &&str| format!("{}{half}", ordering.id);
        let weakening = |name| Weakening { name, ordering: ordering.clone() };
        halves.iter().map(name).map(weakening).collect()
    }

    fn is_asked_for(&self, ids: &[String]) -> bool {
        ids.is_empty() || ids.iter().any(|id| *id == self.name || *id == self.ordering.id)
    }
}

/// What became of a weakening.
#[derive(Debug)]
enum Verdict {
    /// This model has failed, as it should.
    Caught(String),
    /// All models have passed.
    Survived,
    /// No model has failed in the time, but some did not finish either.
    Timeout,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let programs = models::build()?;
    let ledger = read_ledger(&programs)?;
    if args.list {
        let row = |o: &Ordering| vec![o.id.clone(), o.order.clone(), o.pairs.clone()];
        print_table(&["id", "ordering", "pairs with"], &ledger.iter().map(row).collect::<Vec<_>>());
        return Ok(());
    }
    let exempt = read_exempt(&ledger)?;
    let models = find_models(&programs, args)?;
    let named = read_named()?;
    let weakenings: Vec<_> = ledger
        .iter()
        .flat_map(Weakening::all_of)
        .filter(|weakening| weakening.is_asked_for(&args.ids))
        .collect();
    let with_mutants = args.ids.is_empty() || args.ids.iter().any(|id| id == "mutants");
    if weakenings.is_empty() && !with_mutants {
        return Err("no ordering of that name; `cargo xtask weaken --list` shows them".into());
    }
    if with_mutants {
        check_mutants(&Model::mutants(&programs)?, args)?;
    }
    println!("{} weakenings against {} models", weakenings.len(), models.len());
    report(try_all(&weakenings, &models, &named, args)?, &exempt)
}

/// Every mutant has to fail.
fn check_mutants(mutants: &[Model], args: &Args) -> Outcome {
    for mutant in mutants {
        let limit = Duration::from_secs(args.timeout_s);
        match quietly(&mut mutant.command(args.preemptions), limit)? {
            End::Failure => println!("{} fails, as it should", mutant.name),
            end => return Err(format!("the mutant {} does not fail ({end:?})", mutant.name)),
        }
    }
    Ok(())
}

fn read_ledger(programs: &[PathBuf]) -> Outcome<Vec<Ordering>> {
    let mut ledger: Vec<Ordering> = Vec::new();
    for program in programs {
        let text = output(Command::new(program).args([LEDGER, "--nocapture", "--test-threads=1"]))?;
        for line in text.lines() {
            // The harness prints the name of a test without an end of line.
            let Some((_, entry)) = line.split_once("ORD ") else {
                continue;
            };
            let mut words = entry.splitn(3, ' ').map(str::to_owned);
            let (Some(id), Some(order)) = (words.next(), words.next()) else {
                return Err(format!("{LEDGER} printed a line without an ordering: {line}"));
            };
            if ledger.iter().any(|known| known.id == id) {
                return Err(format!("two orderings are called {id}"));
            }
            ledger.push(Ordering { id, order, pairs: words.next().unwrap_or_default() });
        }
    }
    if ledger.is_empty() {
        Err(format!("no test {LEDGER} prints any ordering"))
    } else {
        Ok(ledger)
    }
}

/// Lines of `NAME reason`; a reason is required, and so is that the name still exists.
fn read_exempt(ledger: &[Ordering]) -> Outcome<BTreeMap<String, String>> {
    let text = fs::read_to_string(root().join(EXEMPT)).map_err(|e| format!("{EXEMPT}: {e}"))?;
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let mut exempt = BTreeMap::new();
    for line in lines {
        let Some((name, reason)) = line.split_once(' ') else {
            return Err(format!("{EXEMPT}: {line} has no reason"));
        };
        if !ledger.iter().flat_map(Weakening::all_of).any(|weakening| weakening.name == name) {
            return Err(format!("{EXEMPT}: there is no ordering {name}"));
        }
        exempt.insert(name.to_owned(), reason.trim().to_owned());
    }
    Ok(exempt)
}

/// The model that has caught the loss of each ordering before, by the ordering's name.
fn read_named() -> Outcome<BTreeMap<String, String>> {
    let text = fs::read_to_string(root().join(NAMED)).map_err(|e| format!("{NAMED}: {e}"))?;
    let row = |line: &str| {
        let mut cells = line.split('|').map(str::trim);
        let (id, model) = (cells.nth(1)?.to_owned(), cells.nth(2)?.trim_matches('`').to_owned());
        model.starts_with("model_").then_some((id, model))
    };
    Ok(text.lines().filter_map(row).collect())
}

/// All models, after a run in which none may fail unless they are trusted.
fn find_models(programs: &[PathBuf], args: &Args) -> Outcome<Vec<Model>> {
    if !args.trust_models {
        models::run(&models::Args { filter: "model".to_owned(), preemptions: args.preemptions })?;
    }
    Model::all(programs)
}

/// A weakening, what became of it, and the time that took.
type Tried<'a> = (&'a Weakening, Verdict, Duration);

fn try_all<'a>(
    weakenings: &'a [Weakening],
    models: &[Model],
    named: &BTreeMap<String, String>,
    args: &Args,
) -> Outcome<Vec<Tried<'a>>> {
    let jobs = args.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let next = AtomicUsize::new(0);
    let tried = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Relaxed);
                    let Some(weakening) = weakenings.get(index) else {
                        break;
                    };
                    let start = Instant::now();
                    let first = named.get(&weakening.name).map(String::as_str);
                    let verdict = try_one(weakening, first, models, args);
                    if let Ok(verdict) = &verdict {
                        println!("{}: {verdict:?}", weakening.name);
                    }
                    let entry = verdict.map(|verdict| (weakening, verdict, start.elapsed()));
                    tried.lock().expect("no worker panics").insert(index, entry);
                }
            });
        }
    });
    tried.into_inner().expect("no worker panics").into_values().collect()
}

/// Asks the model called `first`, and then gives every model little time at first and then more: most weakenings
/// fail some model at once, and a model that needs minutes to pass should not be asked before the others.
fn try_one(
    weakening: &Weakening,
    first: Option<&str>,
    models: &[Model],
    args: &Args,
) -> Outcome<Verdict> {
    let deadline = Instant::now() + Duration::from_secs(args.timeout_s);
    let (mut open, others): (Vec<_>, Vec<_>) =
        models.iter().partition(|model| model.name.rsplit("::").next() == first);
    let mut asked_all = false;
    for limit in [u64::MAX, 1, 8, 60, u64::MAX].map(Duration::from_secs) {
        let mut unfinished = Vec::new();
        for model in open {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut command = model.command(args.preemptions);
            command.env("PARKADE_WEAKEN", &weakening.name);
            match quietly(&mut command, limit.min(left))? {
                End::Success => {}
                End::Failure => return Ok(Verdict::Caught(model.name.clone())),
                End::Timeout => unfinished.push(model),
            }
        }
        // The first round was for the named one alone.
        open = if asked_all { unfinished } else { others.clone() };
        asked_all = true;
    }
    if open.is_empty() { Ok(Verdict::Survived) } else { Ok(Verdict::Timeout) }
}

fn report(tried: Vec<Tried<'_>>, exempt: &BTreeMap<String, String>) -> Outcome {
    let mut failures = 0;
    let mut rows = Vec::new();
    for (weakening, verdict, time) in tried {
        let excuse = exempt.get(&weakening.name);
        let verdict = match (verdict, excuse) {
            (Verdict::Caught(model), None) => format!("caught by {model}"),
            (Verdict::Caught(model), Some(_)) => {
                failures += 1;
                format!("CAUGHT by {model}: it needs no exemption any more")
            }
            (Verdict::Survived | Verdict::Timeout, Some(reason)) => format!("exempt: {reason}"),
            (Verdict::Survived, None) => {
                failures += 1;
                "SURVIVED".to_owned()
            }
            (Verdict::Timeout, None) => {
                failures += 1;
                "TIMEOUT with no model failing".to_owned()
            }
        };
        let seconds = format!("{:.1} s", time.as_secs_f64());
        rows.push(vec![weakening.name.clone(), weakening.ordering.order.clone(), seconds, verdict]);
    }
    print_table(&["id", "ordering", "time", "verdict"], &rows);
    match failures {
        0 => Ok(()),
        _ => Err(format!("{failures} of {} weakenings need a model", rows.len())),
    }
}
