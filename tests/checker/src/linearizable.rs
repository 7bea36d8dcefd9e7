//! Whether a history of calls has an order that explains it, for any model: the search of Wing and Gong with Lowe's cache.
//!
//! In the manner of porcupine's `checkSingle` (github.com/anishathalye/porcupine): calls and returns are one linked list by
//! time; the search takes calls out that the model allows next, and at a return whose call is still in the list goes back. A
//! state that was reached before with the same calls taken out is not searched again. Three things differ:
//! - What is taken out is kept as a window, not as a bit for each call of the history, so that memory grows with the history's
//!   length and not with its square.
//! - A call of unknown fate is *optional*: it may take effect before its return, or not at all. At its return it is taken out
//!   without effect, so that from there on the ways in which it did and in which it did not are one where they lead to one
//!   state. Were it only put last, as porcupine's users do, every such call would double the search of a history that is
//!   broken later.
//! - Optional calls are tried after all others that may be next. A withdrawal of unknown fate is open for as long as its node
//!   lives; tried in the order of their calls, ten of them would be taken out in a thousand combinations before each lookup.

mod entries;
mod placed;

use entries::{Entries, Entry};
use placed::Placed;
use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;

/// How often the caller is asked whether to give up: a step takes about a microsecond.
const STEPS_PER_QUESTION: u32 = 1_024;

/// The most states that are kept, some 100 bytes each; beyond it the search gives up.
const MAX_CACHED: usize = 8_000_000;

/// How many calls an explanation names.
const MAX_NAMED: usize = 12;

/// What an object does, one call after the other.
pub trait Model {
    /// What the object holds. Two that are equal must behave alike for ever.
    type State: Clone + Eq + Hash + Debug;
    /// What was asked and answered.
    type Op;

    /// What it holds at first.
    fn initial(&self) -> Self::State;

    /// What it holds after `op`; none if `op` could not have been answered so.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// Whether `op`, when it may have had no effect, need not be tried in this state: whatever is explained with it is explained
    /// without it as well.
    fn gains_nothing(&self, state: &Self::State, op: &Self::Op) -> bool {
        self.step(state, op).is_some_and(|next| next == *state)
    }
}

/// A call, with the time in which it took effect.
///
/// Calls that only touch in time (one returns in the nanosecond in which the other is called) count as concurrent.
#[derive(Debug, Clone)]
pub struct Call<Op> {
    /// Not before this.
    pub call_ns: u64,
    /// Not after this; `u64::MAX` is never.
    pub return_ns: u64,
    /// Whether it may also have had no effect at all.
    pub is_optional: bool,
    /// What was asked and answered.
    pub op: Op,
}

/// What the search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order that explains every answer.
    Ok,
    /// There is none.
    Illegal(Explanation),
    /// The search gave up. A failure: nothing was shown.
    Undecided,
}

/// How far the search came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    /// How many calls the longest order has.
    pub placed: usize,
    /// The last of them, in order, as positions in the calls given.
    pub last_placed: Vec<usize>,
    /// The state after them.
    pub state: String,
    /// The calls of which one had to come next, and none could.
    pub stuck: Vec<usize>,
}

/// Searches for an order of `calls` (in any order themselves). `give_up` is asked now and then.
pub fn check<M: Model>(
    model: &M,
    calls: &[Call<M::Op>],
    give_up: &mut dyn FnMut() -> bool,
) -> Verdict {
    Search::new(model, calls).run(give_up)
}

struct Search<'a, M: Model> {
    model: &'a M,
    calls: &'a [Call<M::Op>],
    entries: Entries,
    placed: Placed,
    state: M::State,
    /// The calls taken out, in order.
    order: Vec<Taken<M::State>>,
    seen: HashSet<(Box<[u64]>, M::State)>,
    best: Explanation,
}

/// A call that was taken out.
struct Taken<State> {
    call: usize,
    /// The state before it; none if it was taken out without effect.
    before: Option<State>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, calls: &'a [Call<M::Op>]) -> Self {
        let spans: Vec<(u64, u64)> = calls
            .iter()
            .map(|call| (call.call_ns, call.return_ns))
            .collect();
        Self {
            model,
            calls,
            entries: Entries::new(&spans),
            placed: Placed::new(&spans),
            state: model.initial(),
            order: Vec::new(),
            seen: HashSet::new(),
            best: Explanation::default(),
        }
    }

    fn run(mut self, give_up: &mut dyn FnMut() -> bool) -> Verdict {
        let mut steps = 0u32;
        let mut at = self.entries.first();
        let mut tries_optional = false;
        while let Some(entry) = at {
            steps = steps.wrapping_add(1);
            let is_time_to_ask = steps.is_multiple_of(STEPS_PER_QUESTION);
            if is_time_to_ask && give_up() || self.seen.len() > MAX_CACHED {
                return Verdict::Undecided;
            }
            (at, tries_optional) = match self.entries.at(entry) {
                Entry::Call(call)
                    if self.calls[call].is_optional == tries_optional && self.take_out(call) =>
                {
                    (self.entries.first(), false)
                }
                Entry::Call(_) => (self.entries.after(entry), tries_optional),
                Entry::Return(_) if !tries_optional => (self.entries.first(), true),
                Entry::Return(call) if self.leave_out(call) => (self.entries.first(), false),
                Entry::Return(_) => match self.go_back() {
                    Some(call) => (self.entries.after_call(call), self.calls[call].is_optional),
                    None => return Verdict::Illegal(self.best),
                },
            };
        }
        Verdict::Ok
    }

    /// Takes the call as the next one, if the model allows it and this is not where the search was before.
    fn take_out(&mut self, call: usize) -> bool {
        let Call {
            op, is_optional, ..
        } = &self.calls[call];
        if *is_optional && self.model.gains_nothing(&self.state, op) {
            return false;
        }
        let Some(next) = self.model.step(&self.state, op) else {
            return false;
        };
        if !self.is_new(call, &next) {
            return false;
        }
        let before = Some(std::mem::replace(&mut self.state, next));
        self.order.push(Taken { call, before });
        self.entries.take_out(call);
        true
    }

    /// Decides that an optional call that has no place up to its return has none.
    fn leave_out(&mut self, call: usize) -> bool {
        let state = self.state.clone();
        if !self.calls[call].is_optional || !self.is_new(call, &state) {
            return false;
        }
        self.order.push(Taken { call, before: None });
        self.entries.take_out(call);
        true
    }

    /// Adds the call to those that are placed, unless the search was there before with this state.
    fn is_new(&mut self, call: usize, next: &M::State) -> bool {
        self.placed.insert(call);
        let is_new = self.seen.insert((self.placed.key(), next.clone()));
        if !is_new {
            self.placed.remove(call);
        }
        is_new
    }

    /// Puts back the last call that had an effect, and returns it; none if there is no other way left.
    fn go_back(&mut self) -> Option<usize> {
        self.note_how_far();
        while let Some(Taken { call, before }) = self.order.pop() {
            self.placed.remove(call);
            self.entries.put_back(call);
            // One that was left out had been tried everywhere else before.
            if let Some(before) = before {
                self.state = before;
                return Some(call);
            }
        }
        None
    }

    fn note_how_far(&mut self) {
        let is_first = self.best.stuck.is_empty();
        if self.order.len() <= self.best.placed && !is_first {
            return;
        }
        let with_effect = self.order.iter().filter(|taken| taken.before.is_some());
        let mut last_placed: Vec<usize> = with_effect
            .rev()
            .take(MAX_NAMED)
            .map(|taken| taken.call)
            .collect();
        last_placed.reverse();
        self.best = Explanation {
            placed: self.order.len(),
            last_placed,
            state: format!("{:?}", self.state),
            stuck: self.entries.candidates(MAX_NAMED),
        };
    }
}
