//! The benchmark of Go's mapmutex: a mutex for each key beside one giant mutex.
//!
//! Workers share a number of jobs. For each job a worker draws a key, locks it, sleeps a whole number of
//! milliseconds from 0 to twice the average, writes the key's slot, and unlocks. One mutex around all of it
//! takes the sum of all sleeps; with a mutex for each key only those who want the same key wait. All who run a
//! case are given the same jobs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parkade::keyed::{KeyedMutex, Retry};
use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use crate::subject::KeyedSubject;
use crate::variant::Variant;
use crate::with_keyed_subject;

/// One case and what was published for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Jobs of all workers.
    pub jobs: u32,
    /// Keys.
    pub keys: u32,
    /// Workers.
    pub workers: u32,
    /// The average sleep of a job, in milliseconds.
    pub average_ms: u32,
    /// The published times.
    pub published: Published,
    /// How many times as fast as the giant mutex the keyed one must be; none where it is only shown. These
    /// are the published ratios.
    pub mark: Option<f64>,
}

/// The figures of mapmutex's README.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Seconds with one mutex.
    pub giant_secs: f64,
    /// Seconds with mapmutex, which tries again and again and at last gives up.
    pub keyed_secs: f64,
    /// The jobs for which it did not give up.
    pub jobs_done: u32,
}

impl Published {
    /// How many times as fast mapmutex was.
    pub fn ratio(self) -> f64 {
        self.giant_secs / self.keyed_secs
    }
}

impl Case {
    const fn new(size: [u32; 4], giant_secs: f64, keyed_secs: f64) -> Case {
        let [jobs, keys, workers, average_ms] = size;
        let published = Published { giant_secs, keyed_secs, jobs_done: jobs };
        Case { jobs, keys, workers, average_ms, published, mark: None }
    }

    const fn marked(self, least: f64) -> Case {
        Case { mark: Some(least), ..self }
    }

    const fn gave_up(mut self, jobs_done: u32) -> Case {
        self.published.jobs_done = jobs_done;
        self
    }

    /// Jobs, keys, workers and average, as in the published names.
    pub fn name(&self) -> String {
        let Case { jobs, keys, workers, average_ms, .. } = self;
        format!("{jobs}_{keys}_{workers}_{average_ms}")
    }

    /// The case with its jobs drawn anew. `scale` is what the milliseconds are multiplied by.
    pub fn draw(self, scale: f64, split: Split, seed: u64) -> Jobs {
        let mut rng = Rng::new(seed);
        let job = |rng: &mut Rng| Job {
            key: rng.below(self.keys),
            sleep: Duration::from_millis(rng.below(2 * self.average_ms).into()).mul_f64(scale),
        };
        let loads = split.loads(self.jobs, self.workers, &mut rng);
        let of_workers =
            loads.iter().map(|&load| (0..load).map(|_| job(&mut rng)).collect()).collect();
        Jobs { case: self, of_workers }
    }
}

/// The published table.
pub const CASES: [Case; 6] = [
    Case::new([1000, 100, 20, 20], 20.16, 1.82).marked(11.0),
    Case::new([1000, 20, 20, 20], 19.73, 2.76).marked(7.0),
    Case::new([1000, 20, 40, 20], 20.38, 1.83),
    Case::new([1000, 2, 40, 20], 20.72, 10.82).gave_up(989),
    Case::new([1000, 20, 40, 60], 60.34, 6.24),
    Case::new([10_000, 20, 40, 20], 205.49, 18.68),
];

/// How many jobs each worker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// As many as any other, or one less.
    #[default]
    Even,
    /// As in the published run: of two neighbours one gives the other a random part of its jobs. Then the
    /// worker with the most, which can have nearly twice as many as others, bounds the ratio.
    Published,
}

impl Split {
    /// All ways.
    pub const ALL: &[Split] = &[Split::Even, Split::Published];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Split::Even => "even",
            Split::Published => "published",
        }
    }

    /// The way of that name.
    pub fn find(name: &str) -> Option<Split> {
        Split::ALL.iter().copied().find(|split| split.name() == name)
    }

    fn loads(self, jobs: u32, workers: u32, rng: &mut Rng) -> Vec<u32> {
        let (each, rest) = (jobs / workers, jobs % workers);
        let mut loads: Vec<u32> = (0..workers).map(|w| each + u32::from(w < rest)).collect();
        if self == Split::Published {
            for pair in loads.chunks_exact_mut(2) {
                let moved = rng.below(pair[0].min(pair[1]).max(1));
                let (from, to) = if rng.below(2) == 0 { (0, 1) } else { (1, 0) };
                pair[from] -= moved;
                pair[to] += moved;
            }
        }
        loads
    }
}

#[derive(Debug, Clone, Copy)]
struct Job {
    key: u32,
    sleep: Duration,
}

/// A case with its jobs.
#[derive(Debug, Clone)]
pub struct Jobs {
    case: Case,
    of_workers: Vec<Vec<Job>>,
}

/// How a case went with one lock.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JobsRun {
    /// From the first worker's start to the last one's end.
    pub secs: f64,
    /// Jobs whose worker got the lock.
    pub done: u32,
}

impl Jobs {
    /// How many times as fast as the giant mutex a run is if sleeps take as long as they are asked to, switching
    /// threads takes no time, and the worker or the key with the most to do never rests.
    pub fn ideal(&self) -> f64 {
        let all = || self.of_workers.iter().flatten();
        let total: Duration = all().map(|job| job.sleep).sum();
        let worker = |jobs: &Vec<Job>| jobs.iter().map(|job| job.sleep).sum::<Duration>();
        let busiest = self.of_workers.iter().map(worker).max().unwrap_or_default();
        let mut keys = vec![Duration::ZERO; self.case.keys as usize];
        all().for_each(|job| keys[job.key as usize] += job.sleep);
        let hottest = keys.into_iter().max().unwrap_or_default();
        total.as_secs_f64() / busiest.max(hottest).as_secs_f64()
    }

    /// With one mutex around every job.
    pub fn giant(&self) -> JobsRun {
        let giant = Mutex::new(());
        self.run(&|_, job| {
            let _guard = giant.lock().expect("a job does not panic");
            job();
            Got::Lock
        })
    }

    /// With a mutex for each key.
    pub fn keyed(&self, variant: &Variant) -> JobsRun {
        variant.tuned(|| with_keyed_subject!(variant.subject(), S => self.keyed_as::<S>()))
    }

    fn keyed_as<S: KeyedSubject>(&self) -> JobsRun {
        let map = S::new();
        self.run(&|key, job| {
            S::with(&map, key, job);
            Got::Lock
        })
    }

    /// With Parkade's mutex for each key, polled with mapmutex's pauses.
    pub fn retrying(&self) -> JobsRun {
        let map = KeyedMutex::new();
        let retry = Retry::default();
        self.run(&|key, job| match map.try_lock_retrying(&key, &retry) {
            Ok(_guard) => {
                job();
                Got::Lock
            }
            Err(_) => Got::Nothing,
        })
    }

    /// `enter` locks a key and then does the job it is given, or gives up.
    fn run(&self, enter: &(dyn Fn(u64, &dyn Fn()) -> Got + Sync)) -> JobsRun {
        let slots: Vec<AtomicU64> = (0..self.case.keys).map(|_| AtomicU64::new(0)).collect();
        let begin = Instant::now();
        let work = |jobs: &[Job]| {
            let done = jobs.iter().filter(|job| {
                let section = || {
                    std::thread::sleep(job.sleep);
                    let written = job.sleep.as_micros() as u64;
                    slots[job.key as usize].store(written, Ordering::Relaxed);
                };
                enter(job.key.into(), &section) == Got::Lock
            });
            done.count() as u32
        };
        let done = std::thread::scope(|scope| {
            let work = &work;
            let workers: Vec<_> =
                self.of_workers.iter().map(|jobs| scope.spawn(move || work(jobs))).collect();
            workers.into_iter().map(|worker| worker.join().expect("a job does not panic")).sum()
        });
        JobsRun { secs: begin.elapsed().as_secs_f64(), done }
    }
}

/// What came of locking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Got {
    Lock,
    Nothing,
}

/// A case as it was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseReport {
    /// The case.
    pub case: Case,
    /// What the milliseconds were multiplied by.
    pub scale: f64,
    /// How the jobs were split.
    pub split: Split,
    /// How many times as fast as the giant mutex a lock would be ideally ([`Jobs::ideal`]).
    pub ideal: f64,
    /// With one mutex, std's.
    pub giant: JobsRun,
    /// With a mutex for each key.
    pub keyed: Vec<(Variant, JobsRun)>,
    /// With Parkade's polling form, which tries again and again and may give up.
    pub retrying: JobsRun,
}

impl CaseReport {
    /// Runs a case with these locks.
    pub fn measure(
        case: Case,
        scale: f64,
        split: Split,
        seed: u64,
        locks: &[Variant],
    ) -> CaseReport {
        let jobs = case.draw(scale, split, seed);
        CaseReport {
            case,
            scale,
            split,
            ideal: jobs.ideal(),
            giant: jobs.giant(),
            keyed: locks.iter().map(|lock| (lock.clone(), jobs.keyed(lock))).collect(),
            retrying: jobs.retrying(),
        }
    }

    /// How many times as fast as with the giant mutex a run was.
    pub fn ratio(&self, run: JobsRun) -> f64 {
        self.giant.secs / run.secs
    }

    /// The mark of the case. With the published split there is none: what its draw of loads allows
    /// ([`Jobs::ideal`]) is below the mark more often than not, whatever the lock.
    pub fn mark(&self) -> Option<f64> {
        self.case.mark.filter(|_| self.split == Split::Even)
    }

    /// Whether a run did every job, and as fast as it must.
    pub fn reached(&self, run: JobsRun) -> bool {
        run.done == self.case.jobs && self.mark().is_none_or(|mark| self.ratio(run) >= mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::{LockKind, SubjectId};

    #[test]
    fn names_and_ratios_are_the_published_ones() {
        assert_eq!(CASES[0].name(), "1000_100_20_20");
        assert_eq!(CASES[5].name(), "10000_20_40_20");
        for case in CASES.iter().filter(|case| case.mark.is_some()) {
            let (mark, ratio) = (case.mark.unwrap(), case.published.ratio());
            assert!(mark <= ratio && ratio < mark + 0.5, "{}: {ratio}", case.name());
        }
        for &split in Split::ALL {
            assert_eq!(Split::find(split.name()), Some(split));
        }
    }

    #[test]
    fn every_job_has_a_worker_however_they_are_split() {
        for case in CASES {
            for &split in Split::ALL {
                let jobs = case.draw(1.0, split, 7);
                let loads: Vec<usize> = jobs.of_workers.iter().map(Vec::len).collect();
                assert_eq!(loads.len(), case.workers as usize);
                assert_eq!(loads.iter().sum::<usize>(), case.jobs as usize);
                let even = loads.iter().max().unwrap() - loads.iter().min().unwrap() <= 1;
                assert_eq!(even, split == Split::Even, "{loads:?}");
                let all = || jobs.of_workers.iter().flatten();
                assert!(all().all(|job| job.key < case.keys));
                let longest = Duration::from_millis(2 * u64::from(case.average_ms) - 1);
                assert_eq!(all().map(|job| job.sleep).max(), Some(longest));
                let most = f64::from(case.workers.min(case.keys));
                assert!((1.0..=most).contains(&jobs.ideal()), "{}", jobs.ideal());
            }
        }
    }

    #[test]
    fn a_small_run_does_every_job_and_is_faster_than_one_mutex() {
        let case = Case::new([200, 100, 20, 20], 1.0, 1.0).marked(2.0);
        let locks: Vec<Variant> = LockKind::Keyed.subjects().map(Variant::from).collect();
        let report = CaseReport::measure(case, 0.05, Split::Even, 3, &locks);
        assert_eq!(report.giant.done, 200);
        assert!((1..=200).contains(&report.retrying.done), "{:?}", report.retrying);
        assert_eq!(report.keyed.len(), locks.len());
        for (lock, run) in &report.keyed {
            assert_eq!(run.done, 200, "{lock}");
            if *lock == SubjectId::Parkade {
                assert!(report.reached(*run), "{lock}: {}", report.ratio(*run));
            }
            assert!(!report.reached(JobsRun { done: 199, ..*run }));
            let slow = JobsRun { secs: report.giant.secs, ..*run };
            assert!(!report.reached(slow));
            assert!(CaseReport { split: Split::Published, ..report.clone() }.reached(slow));
        }
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<CaseReport>(&json).unwrap(), report);
    }
}
