//! Runs simulations and prints a summary: `simulate SEEDS [FIRST]`, or `simulate` with
//! `TENANTRY_SIM_SEED` for one. `scripts/simulate` builds and starts it.
#![expect(clippy::expect_used, reason = "a program for people says what is wrong by stopping")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tenantry_testkit::{Report, Simulation};

fn main() -> ExitCode {
    if let Some(seed) = Simulation::seed_of_environment() {
        let report = Simulation::new(seed).run();
        println!("{report}");
        return if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let mut numbers = std::env::args().skip(1).map(|number| number.parse().expect("a number"));
    let seeds: u64 = numbers.next().expect("how many seeds");
    let first = numbers.next().unwrap_or(0);

    let (next, summary) = (AtomicU64::new(first), Mutex::new(Summary::default()));
    let started = Instant::now();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let report = Simulation::new(seed).run();
                    summary.lock().expect("no worker panics").add(&report);
                }
            });
        }
    });
    let summary = summary.into_inner().expect("no worker panics");
    summary.print(started.elapsed());
    if summary.broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Summary {
    seeds: u64,
    broken: u64,
    issuers: usize,
    time: Duration,
    longest_wait: Duration,
    counts: BTreeMap<&'static str, u64>,
}

impl Summary {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.issuers += report.issuers();
        self.time += report.time();
        self.longest_wait = self.longest_wait.max(report.longest_wait());
        for (what, count) in report.counts() {
            *self.counts.entry(what).or_default() += count;
        }
        if !report.is_clean() {
            self.broken += 1;
            println!("{report}\n");
        }
    }

    fn print(&self, took: Duration) {
        println!("| | |\n|---|--:|");
        println!("| seeds | {} |", self.seeds);
        println!("| seeds that broke a promise | {} |", self.broken);
        println!("| issuers | {} |", self.issuers);
        println!("| virtual time | {} h |", self.time.as_secs() / 3600);
        for (what, count) in &self.counts {
            println!("| {what} | {count} |");
        }
        println!("| longest wait of a request | {} ms |", self.longest_wait.as_millis());
        println!("| time it took | {} s |", took.as_secs());
    }
}
