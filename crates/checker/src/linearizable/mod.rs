//! Whether a history of calls has an order that explains it, for any model: the search of Wing and Gong with Lowe's cache.
//!
//! In the manner of porcupine's `checkSingle` (github.com/anishathalye/porcupine): calls and returns are one linked list by
//! time; the search takes calls out that the model allows next, and at a return whose call is still in the list goes back. A
//! state that was reached before with the same calls taken out is not searched again. Four things
//! differ:
//! - What is taken out is kept as a window, not as a bit for each call of the history, so that memory grows with the history's
//!   length and not with its square.
//! - A call of unknown fate is *optional*: it may take effect at any time after its call, or not at all. The search tries none for
//!   its own sake. What it does shows only in a later answer, and nothing else that shows it comes between; so it is taken out
//!   right before the call whose answer needs it, together with that one, and only then ([`Model::needs`]). A withdrawal of unknown
//!   fate is open for as long as its node lives: were each tried like other calls, ten of them would be taken out in a thousand
//!   combinations before each lookup.
//! - A call may be said to come *after* others that are under way at the same time
//!   ([`Call::after`]): once it is taken out,
//!   they are not taken out any more. Where one of them stands in an order does not change by that,
//!   so what is said of
//!   optional calls above holds as it is.

mod entries;
mod placed;
mod span;

use entries::{Entries, Entry};
use placed::Placed;
use span::Span;
use std::collections::{HashMap, HashSet};
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
    /// What an optional call may do for others.
    type Need: Copy + Eq + Hash;

    /// What it holds at first.
    fn initial(&self) -> Self::State;

    /// What it holds after `op`; none if `op` could not have been answered so.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// What must have been done right before `op` for it to be answered so, by optional calls; nothing if nothing is missing, none if
    /// it is of no use whatever they do.
    fn needs(&self, state: &Self::State, op: &Self::Op) -> Option<Vec<Self::Need>>;

    /// What an optional call is good for; none if for nothing.
    ///
    /// A model must have this: where an order explains a history, so does one in which each optional call that has an effect stands
    /// right before one that needs it. That is so where all that a change can do is to be seen.
    fn meets(&self, op: &Self::Op) -> Option<Self::Need>;
}

/// A call, with the time in which it took effect.
///
/// Calls that only touch in time (one returns in the nanosecond in which the other is called) count as concurrent.
#[derive(Debug, Clone)]
pub struct Call<Op> {
    /// Not before this.
    pub call_ns: u64,
    /// Not after this; `u64::MAX` is never. Of an optional call: no call that it is good for returns later.
    pub return_ns: u64,
    /// Whether it may also have had no effect at all.
    pub is_optional: bool,
    /// Calls, as positions in the calls given, that have no effect after this one.
    pub after: Vec<usize>,
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
    helpers: Helpers<M::Need>,
    /// For each optional call: the calls after which it has no effect.
    barred_by: Vec<Vec<usize>>,
    best: Explanation,
}

/// A call that was taken out.
struct Taken<State> {
    call: usize,
    /// The optional calls that were taken out right before it, in order.
    helpers: Vec<usize>,
    /// The state before them; none if the call is optional and was taken out without effect.
    before: Option<State>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, calls: &'a [Call<M::Op>]) -> Self {
        let spans: Vec<Span> = calls.iter().map(Call::span).collect();
        Self {
            model,
            calls,
            entries: Entries::new(&spans),
            placed: Placed::new(&spans),
            state: model.initial(),
            order: Vec::new(),
            seen: HashSet::new(),
            helpers: Helpers::new(model, calls),
            barred_by: barred_by(calls),
            best: Explanation::default(),
        }
    }

    fn run(mut self, give_up: &mut dyn FnMut() -> bool) -> Verdict {
        let mut steps = 0u32;
        let mut at = self.entries.first();
        // First calls are tried alone; where none is left that may be next, the same ones with help.
        let mut with_help = false;
        while let Some(entry) = at {
            steps = steps.wrapping_add(1);
            let is_time_to_ask = steps.is_multiple_of(STEPS_PER_QUESTION);
            if is_time_to_ask && give_up() || self.seen.len() > MAX_CACHED {
                return Verdict::Undecided;
            }
            (at, with_help) = match self.entries.at(entry) {
                Entry::Call(call) if self.take_out(call, with_help) => {
                    (self.entries.first(), false)
                }
                Entry::Call(_) => (self.entries.after(entry), with_help),
                Entry::Return(call) if self.calls[call].is_optional && self.leave_out(call) => {
                    (self.entries.first(), false)
                }
                Entry::Return(call) if !self.calls[call].is_optional && !with_help => {
                    (self.entries.first(), true)
                }
                Entry::Return(_) => match self.go_back() {
                    Some(Taken { call, helpers, .. }) => {
                        (self.entries.after_call(call), !helpers.is_empty())
                    }
                    None => return Verdict::Illegal(self.best),
                },
            };
        }
        Verdict::Ok
    }

    /// Takes the call as the next one, if the model allows it and this is not where the search was before.
    fn take_out(&mut self, call: usize, with_help: bool) -> bool {
        let Call {
            op, is_optional, ..
        } = &self.calls[call];
        if *is_optional || self.comes_too_early(call) {
            return false;
        }
        let helpers = match with_help {
            false => Vec::new(),
            true => match self.helpers_for(call) {
                Some(helpers) if !helpers.is_empty() => helpers,
                _ => return false,
            },
        };
        let helped = helpers
            .iter()
            .try_fold(self.state.clone(), |state, helper| {
                self.model.step(&state, &self.calls[*helper].op)
            });
        let Some(next) = helped.and_then(|state| self.model.step(&state, op)) else {
            return false;
        };
        if !self.is_new(call, &helpers, &next) {
            return false;
        }
        let before = Some(std::mem::replace(&mut self.state, next));
        for taken in helpers.iter().chain([&call]) {
            self.entries.take_out(*taken);
        }
        self.order.push(Taken {
            call,
            helpers,
            before,
        });
        true
    }

    /// Whether a call that must have its effect before this one has not had it.
    fn comes_too_early(&self, call: usize) -> bool {
        let is_missing =
            |other: &usize| !self.calls[*other].is_optional && !self.placed.contains(*other);
        self.calls[call].after.iter().any(is_missing)
    }

    /// The optional calls that a call needs and that may be next; none if one is missing.
    fn helpers_for(&self, call: usize) -> Option<Vec<usize>> {
        let needs = self.model.needs(&self.state, &self.calls[call].op)?;
        let first_return = self.entries.first_return()?;
        let is_open = |helper: &&usize| {
            !self.placed.contains(**helper)
                && self.entries.is_called_before(**helper, first_return)
                && !self.barred_by[**helper]
                    .iter()
                    .any(|later| self.placed.contains(*later))
        };
        let helper_for = |need| self.helpers.of(need).iter().find(is_open).copied();
        needs.into_iter().map(helper_for).collect()
    }

    /// Decides that an optional call that nothing needed up to its return had no effect.
    fn leave_out(&mut self, call: usize) -> bool {
        let state = self.state.clone();
        if !self.is_new(call, &[], &state) {
            return false;
        }
        self.entries.take_out(call);
        self.order.push(Taken {
            call,
            helpers: Vec::new(),
            before: None,
        });
        true
    }

    /// Adds the call and its helpers to those that are placed, unless the search was there before with this state.
    fn is_new(&mut self, call: usize, helpers: &[usize], next: &M::State) -> bool {
        let placed = || helpers.iter().chain([&call]);
        placed().for_each(|call| self.placed.insert(*call));
        let is_new = self.seen.insert((self.placed.key(), next.clone()));
        if !is_new {
            placed().for_each(|call| self.placed.remove(*call));
        }
        is_new
    }

    /// Puts back the last call that had an effect, and returns it; none if there is no other way left.
    fn go_back(&mut self) -> Option<Taken<M::State>> {
        self.note_how_far();
        while let Some(taken) = self.order.pop() {
            for call in [taken.call].iter().chain(taken.helpers.iter().rev()) {
                self.placed.remove(*call);
                self.entries.put_back(*call);
            }
            // One that was left out may not be next any more where it stands.
            if let Some(before) = &taken.before {
                self.state = before.clone();
                return Some(taken);
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
        let in_turn = with_effect.rev().flat_map(|taken| {
            [taken.call]
                .into_iter()
                .chain(taken.helpers.iter().rev().copied())
        });
        let mut last_placed: Vec<usize> = in_turn.take(MAX_NAMED).collect();
        last_placed.reverse();
        self.best = Explanation {
            placed: self.order.len(),
            last_placed,
            state: format!("{:?}", self.state),
            stuck: self.entries.candidates(MAX_NAMED),
        };
    }
}

fn barred_by<Op>(calls: &[Call<Op>]) -> Vec<Vec<usize>> {
    let mut barred_by = vec![Vec::new(); calls.len()];
    for (later, call) in calls.iter().enumerate() {
        for earlier in call.after.iter().filter(|call| calls[**call].is_optional) {
            barred_by[*earlier].push(later);
        }
    }
    barred_by
}

impl<Op> Call<Op> {
    fn span(&self) -> Span {
        Span {
            call_ns: self.call_ns,
            return_ns: self.return_ns,
            is_optional: self.is_optional,
        }
    }
}

/// Which optional calls are good for what, in the order in which they are taken.
///
/// Of those that do the same the one is taken that is over first, and of these the one that was called first: each of the others
/// may stand wherever it could have stood later.
struct Helpers<Need>(HashMap<Need, Vec<usize>>);

impl<Need: Copy + Eq + Hash> Helpers<Need> {
    fn new<M: Model<Need = Need>>(model: &M, calls: &[Call<M::Op>]) -> Self {
        let mut helpers: HashMap<Need, Vec<usize>> = HashMap::new();
        for (
            call,
            Call {
                op, is_optional, ..
            },
        ) in calls.iter().enumerate()
        {
            if let Some(need) = model.meets(op).filter(|_| *is_optional) {
                helpers.entry(need).or_default().push(call);
            }
        }
        for own in helpers.values_mut() {
            own.sort_by_key(|call| (calls[*call].return_ns, calls[*call].call_ns));
        }
        Self(helpers)
    }

    fn of(&self, need: Need) -> &[usize] {
        self.0.get(&need).map_or(&[], Vec::as_slice)
    }
}
