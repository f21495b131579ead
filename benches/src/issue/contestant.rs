//! Who takes turns, and what a turn costs.

use std::hint::black_box;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use rustix::time::{ClockId, clock_gettime};

use crate::signature::signature;
use crate::site::{Open, Site};
use crate::{ALLOCATIONS, Failed};

const ROUNDS: usize = 100;

#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Contestant {
    Signature,
    Token,
    Request,
    Logged,
    Accounted,
    Renewable,
}

use Contestant::{Accounted, Logged, Renewable, Request, Signature, Token};

/// What one of a turn costs, in seconds and in allocations.
type Cost = (f64, usize);

impl Contestant {
    /// Those that nobody logs.
    pub(crate) const SILENT: &[Self] = &[Signature, Token, Request, Accounted, Renewable];
    /// The same with a log: what is measured is the difference.
    pub(crate) const LOGGED: &[Self] = &[Signature, Logged];

    const fn name(self) -> &'static str {
        match self {
            Signature => "signature",
            Token => "token",
            Request => "request",
            Logged => "logged",
            Accounted => "accounted",
            Renewable => "renewable",
        }
    }

    /// How many there are in a turn. A round without any is left out.
    const fn count(self, round: usize) -> usize {
        match self {
            // So many that the look into the table at the end of the turn does not count.
            Accounted if round % 10 == 0 => 2000,
            Accounted => 0,
            Renewable => 20,
            // So many that what the turn before left in the caches does not count, nor a processor that slept.
            _ => 400,
        }
    }
}

/// What contestants work with.
struct Bench {
    open: Open,
    signature: Box<dyn FnMut()>,
}

impl Bench {
    async fn open(site: &Site) -> Result<Self, Failed> {
        let open = site.open().await?;
        let token = open.issue(0).await.token;
        let message = token.rsplit_once('.').ok_or("a token has three parts")?.0;
        let signature = signature(site.algorithm, vec![b'a'; message.len()]);
        Ok(Self { open, signature })
    }

    async fn turn(&mut self, contestant: Contestant, count: usize) -> Result<Cost, Failed> {
        let requests = match contestant {
            Signature | Token => Vec::new(),
            Request | Logged | Accounted | Renewable => self.open.requests(count, contestant == Renewable),
        };
        let clock = match contestant {
            Signature | Token | Request | Logged => ClockId::ThreadCPUTime,
            Accounted => ClockId::ProcessCPUTime,
            Renewable => ClockId::Monotonic,
        };
        let (allocations, start) = (ALLOCATIONS.load(Ordering::Relaxed), now(clock));
        match contestant {
            Signature => (0..count).for_each(|_| (self.signature)()),
            Token => {
                for at in 0..count {
                    black_box(self.open.issue(at).await);
                }
            }
            Request | Logged | Renewable => {
                for request in requests {
                    self.open.ask(request).await;
                }
            }
            Accounted => {
                for (at, request) in requests.into_iter().enumerate() {
                    self.open.ask(request).await;
                    if at % 20 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                self.open.settle().await?;
            }
        }
        let time = now(clock) - start;
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - allocations;
        self.open.settle().await?;
        Ok((time.as_secs_f64() / count as f64, allocations / count))
    }
}

fn now(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

pub(crate) async fn measure(
    site: &Site,
    contestants: &[Contestant],
    figures: &PrometheusHandle,
) -> Result<(), Failed> {
    let mut bench = Bench::open(site).await?;
    let mut costs = vec![Vec::new(); contestants.len()];
    for round in 0..ROUNDS {
        let mut bare = 0.0;
        for (&contestant, costs) in contestants.iter().zip(&mut costs) {
            let count = contestant.count(round);
            if count > 0 {
                let (time, allocations) = bench.turn(contestant, count).await?;
                if contestant == Signature {
                    bare = time;
                }
                costs.push((time, bare / time, allocations));
            }
        }
        // As the program does it, every few seconds.
        figures.run_upkeep();
    }
    for (contestant, costs) in contestants.iter().zip(costs) {
        let times = sorted(costs.iter().map(|(time, ..)| *time));
        let ratios = sorted(costs.iter().map(|(_, ratio, _)| *ratio));
        println!(
            "{:8} {:10} {:10} {:>10.0} {:>8.3} {:>7}",
            site.algorithm,
            site.database,
            contestant.name(),
            1.0 / times[times.len() / 10],
            ratios[ratios.len() / 2],
            costs[costs.len() / 2].2,
        );
    }
    bench.open.server.close().await;
    Ok(())
}

/// Runs one contestant alone.
pub(crate) async fn profile(site: &Site, name: &str) -> Result<(), Failed> {
    let mut bench = Bench::open(site).await?;
    let named = Contestant::SILENT.iter().find(|contestant| contestant.name() == name);
    let contestant = *named.ok_or("no such contestant")?;
    for _ in 0..20 {
        bench.turn(contestant, 2000).await?;
    }
    Ok(())
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
