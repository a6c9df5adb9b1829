//! The one loop: children end, time passes, commands come.

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::Event;
use crate::child::{End, Running};
use crate::inbox::{Command, Inbox};
use crate::plan::Plan;
use crate::slot::{Slot, Vacancy};
use crate::supervisor::Report;

pub(crate) struct Engine {
    plan: Plan,
    report: Box<Report>,
    /// The places of the present generation.
    slots: Vec<Slot>,
    replacement: Replacement,
    /// Another replacement was asked for during one.
    again: bool,
    /// Children that were told to end, of any generation.
    leaving: Vec<Leaving>,
    /// The last signal by which all were told to end.
    stopping: Option<Signal>,
}

#[derive(Debug)]
enum Replacement {
    None,
    /// New children live beside the old ones, until when all of them must live.
    Settling {
        slots: Vec<Slot>,
        until: Option<Instant>,
    },
    /// The new or the old children were told to end.
    Leaving {
        succeeded: bool,
    },
}

/// A child that was told to end.
#[derive(Debug)]
struct Leaving {
    slot: usize,
    running: Running,
    told: Signal,
    /// `None` is beyond what the clock can tell.
    kill_at: Option<Instant>,
    killed: bool,
}

impl Engine {
    /// Starts all children, or none if one cannot be started.
    pub(crate) fn start(plan: Plan, report: Box<Report>) -> io::Result<Engine> {
        plan.check()?;
        let mut engine = Engine {
            plan,
            report,
            slots: Vec::new(),
            replacement: Replacement::None,
            again: false,
            leaving: Vec::new(),
            stopping: None,
        };
        match engine.start_generation() {
            (slots, None) => engine.slots = slots,
            // The drop of the others kills them.
            (_, Some((_, error))) => return Err(error),
        }
        Ok(engine)
    }

    /// Runs until all children were stopped.
    pub(crate) fn run(mut self, mut inbox: Inbox) -> io::Result<()> {
        loop {
            self.turn();
            if self.stopping.is_some() && self.leaving.is_empty() {
                (self.report)(&Event::Stopped);
                return Ok(());
            }
            for command in inbox.wait(self.deadline())? {
                self.obey(command);
            }
        }
    }

    /// When there is something to do, if nothing happens before.
    fn deadline(&self) -> Option<Instant> {
        let (new, settled) = match &self.replacement {
            Replacement::Settling { slots, until } => (slots.as_slice(), *until),
            Replacement::None | Replacement::Leaving { .. } => (&[][..], None),
        };
        let restarts = self.slots.iter().chain(new).filter_map(Slot::deadline);
        let kills = self
            .leaving
            .iter()
            .filter(|child| !child.killed)
            .filter_map(|child| child.kill_at);
        restarts.chain(kills).chain(settled).min()
    }

    fn turn(&mut self) {
        let vacancies = check(&mut self.slots, &self.plan);
        tell_ends(&mut self.report, &vacancies, true);
        refill(&mut self.slots, &self.plan, &mut self.report, true);
        self.turn_leaving();
        self.turn_replacement();
    }

    fn obey(&mut self, command: Command) {
        match (command, self.stopping) {
            (Command::Reload, Some(_)) => {}
            (Command::Reload, None) => match self.replacement {
                Replacement::None => self.begin_replacement(),
                _ => self.again = true,
            },
            (Command::Stop(patience), _) => self.stop(Signal::TERM, patience),
            (Command::Terminate, Some(Signal::TERM)) => self.stop(Signal::TERM, Duration::ZERO),
            (Command::Terminate, _) => self.stop(Signal::TERM, self.plan.patience),
            (Command::Finish, None) => self.stop(Signal::USR1, self.plan.patience),
            (Command::Finish, Some(_)) => {}
        }
    }

    // --- Stopping.

    /// Tells all children to end, or those that were told already to hurry.
    fn stop(&mut self, signal: Signal, patience: Duration) {
        if self.stopping.is_none() {
            // With its path: who connects while the last requests are served would wait in vain.
            self.plan.listener = None;
            (self.report)(&Event::Stopping { patience });
        }
        self.stopping = Some(signal);
        let kill_at = Instant::now().checked_add(patience);
        for child in &mut self.leaving {
            child.kill_at = match (child.kill_at, kill_at) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            // Who has had SIGTERM might take a second one for "at once".
            if child.told != signal && child.told != Signal::TERM {
                child.running.signal(signal);
                child.told = signal;
            }
        }
        let slots = mem::take(&mut self.slots);
        self.dismiss(slots, signal, patience);
        if let Replacement::Settling { slots, .. } =
            mem::replace(&mut self.replacement, Replacement::None)
        {
            self.dismiss(slots, signal, patience);
        }
    }

    /// Tells the children of these places to end.
    fn dismiss(&mut self, slots: Vec<Slot>, signal: Signal, patience: Duration) {
        let kill_at = Instant::now().checked_add(patience);
        for slot in slots {
            let number = slot.number;
            if let Some(running) = slot.vacate() {
                running.signal(signal);
                self.leaving.push(Leaving {
                    slot: number,
                    running,
                    told: signal,
                    kill_at,
                    killed: false,
                });
            }
        }
    }

    fn turn_leaving(&mut self) {
        let (now, report) = (Instant::now(), &mut self.report);
        self.leaving.retain_mut(|child| {
            if let Some(end) = child.running.end() {
                report(&ended(child.slot, end, None));
                return false;
            }
            if !child.killed && child.kill_at.is_some_and(|time| time <= now) {
                child.running.kill();
                child.killed = true;
                let pid = child.running.pid();
                let slot = child.slot;
                report(&Event::Killed { slot, pid });
            }
            true
        });
    }

    // --- Replacement.

    fn begin_replacement(&mut self) {
        (self.report)(&Event::ReplacementBegun);
        let (slots, failed) = self.start_generation();
        if let Some((slot, error)) = failed {
            (self.report)(&Event::NotStarted {
                slot,
                error,
                restart: None,
            });
            return self.give_up(slots);
        }
        let until = Instant::now().checked_add(self.plan.settle);
        self.replacement = Replacement::Settling { slots, until };
    }

    fn turn_replacement(&mut self) {
        match mem::replace(&mut self.replacement, Replacement::None) {
            Replacement::None => {}
            Replacement::Settling { slots, until } => self.turn_settling(slots, until),
            Replacement::Leaving { succeeded } if self.leaving.is_empty() => {
                if succeeded {
                    (self.report)(&Event::ReplacementDone);
                }
                if mem::take(&mut self.again) {
                    self.begin_replacement();
                }
            }
            leaving @ Replacement::Leaving { .. } => self.replacement = leaving,
        }
    }

    fn turn_settling(&mut self, mut slots: Vec<Slot>, until: Option<Instant>) {
        let vacancies = check(&mut slots, &self.plan);
        let alive = vacancies.iter().all(|(_, vacancy)| vacancy.was_due);
        tell_ends(&mut self.report, &vacancies, alive);
        if !alive || !refill(&mut slots, &self.plan, &mut self.report, false) {
            return self.give_up(slots);
        }
        if until.is_none_or(|until| until > Instant::now()) {
            self.replacement = Replacement::Settling { slots, until };
            return;
        }
        (self.report)(&Event::ReplacementSettled);
        let old = mem::replace(&mut self.slots, slots);
        self.dismiss(old, Signal::TERM, self.plan.patience);
        self.replacement = Replacement::Leaving { succeeded: true };
    }

    fn give_up(&mut self, slots: Vec<Slot>) {
        (self.report)(&Event::ReplacementGivenUp);
        self.dismiss(slots, Signal::TERM, self.plan.patience);
        self.replacement = Replacement::Leaving { succeeded: false };
    }

    /// A child for each place, up to the first that cannot be started.
    fn start_generation(&mut self) -> (Vec<Slot>, Option<(usize, io::Error)>) {
        let mut slots = Vec::with_capacity(self.plan.children);
        for number in 1..=self.plan.children {
            match Slot::start(number, &self.plan) {
                Ok(slot) => {
                    if let Some(pid) = slot.pid() {
                        (self.report)(&Event::Started { slot: number, pid });
                    }
                    slots.push(slot);
                }
                Err(error) => return (slots, Some((number, error))),
            }
        }
        (slots, None)
    }
}

/// The places whose children have ended.
fn check(slots: &mut [Slot], plan: &Plan) -> Vec<(usize, Vacancy)> {
    slots
        .iter_mut()
        .filter_map(|slot| slot.check(plan).map(|vacancy| (slot.number, vacancy)))
        .collect()
}

fn tell_ends(report: &mut Report, vacancies: &[(usize, Vacancy)], are_filled: bool) {
    for (slot, vacancy) in vacancies {
        let restart = are_filled.then_some(vacancy.pause);
        report(&ended(*slot, vacancy.end, restart));
    }
}

/// Starts the children whose time has come. `false` if one could not be started, which `are_retried`
/// or given up.
fn refill(slots: &mut [Slot], plan: &Plan, report: &mut Report, are_retried: bool) -> bool {
    let now = Instant::now();
    let mut all = true;
    for slot in slots {
        let number = slot.number;
        match slot.refill(plan, now) {
            Ok(None) => {}
            Ok(Some(pid)) => report(&Event::Started { slot: number, pid }),
            Err((error, pause)) => {
                all = false;
                report(&Event::NotStarted {
                    slot: number,
                    error,
                    restart: are_retried.then_some(pause),
                });
            }
        }
    }
    all
}

fn ended(slot: usize, end: End, restart: Option<Duration>) -> Event {
    Event::Ended {
        slot,
        pid: end.pid,
        status: end.status,
        after: end.after,
        restart,
    }
}
