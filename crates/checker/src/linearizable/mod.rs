//! Searches for an order that explains a history of calls, for any model.
//!
//! The algorithm is the search of Wing and Gong with the cache of Lowe. It follows porcupine's
//! `checkSingle` (github.com/anishathalye/porcupine). Calls and returns form one linked list,
//! sorted by time. The search removes a call that the model allows next. At a return whose call is
//! still in the list, it puts back the last removed call and tries the call that follows it in the
//! list. It skips a state that it has already reached with the same calls removed. The search
//! differs from porcupine in three points:
//!
//! - The set of removed calls is stored as a window, not as one bit for each call of the history.
//!   Memory therefore grows linearly with the length of the history, not quadratically.
//! - A call with an unknown outcome is *optional*: it may take effect at any time after its call,
//!   or not at all. All other calls are *required*. The effect of an optional call is visible only
//!   in later answers. The search therefore removes the optional call only together with the first
//!   call whose answer needs the effect, right before that call ([`Model::needs`]). Without this
//!   rule, ten withdrawals with unknown outcomes would have a thousand combinations (2^10) before
//!   each lookup, since each withdrawal stays possible for the lifetime of its node.
//! - A call may have *predecessors*: concurrent calls that must not take effect after it
//!   ([`Call::after`]). The search removes the call only after its required predecessors. Once the
//!   call is removed, its optional predecessors can no longer take effect. No later answer needs
//!   their effects, because only writes of one node are ordered in this way (`groups/arrivals.rs`),
//!   and a write replaces the effects of all earlier writes of its node.

mod entries;
mod placed;
mod span;

use entries::{Entries, Entry};
use placed::Placed;
use span::Span;
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;

/// Number of steps of the search between two calls of the `give_up` closure. A step takes about a
/// microsecond, so the closure is called about every millisecond.
const STEPS_PER_QUESTION: u32 = 1_024;

/// Maximum number of cached states, beyond which the search gives up. A state takes some 100 bytes,
/// so the full cache takes about 800 MB.
const MAX_CACHED: usize = 8_000_000;

/// Maximum number of calls in each list of an explanation.
const MAX_NAMED: usize = 12;

/// The behaviour of an object whose calls take effect one after the other.
pub trait Model {
    /// The state of the object. Equal states must behave identically in all later steps.
    type State: Clone + Eq + Hash + Debug;
    /// A request with its answer.
    type Op;
    /// An effect of an optional call on which other calls can depend.
    type Need: Copy + Eq + Hash;

    /// Returns the initial state.
    fn initial(&self) -> Self::State;

    /// Returns the state after `op`, or `None` if `op` cannot have this answer in `state`.
    fn step(&self, state: &Self::State, op: &Self::Op) -> Option<Self::State>;

    /// Returns the effects that optional calls must have right before `op` to explain its answer.
    /// The list is empty if no effect is missing. Returns `None` if no optional calls can explain
    /// the answer.
    fn needs(&self, state: &Self::State, op: &Self::Op) -> Option<Vec<Self::Need>>;

    /// Returns the need that an optional call can satisfy, or `None` if there is no such need.
    ///
    /// Every model must allow optional calls to be delayed. If any order explains a history, there
    /// must be one in which each optional call with an effect comes right before a call that needs
    /// the effect. A model has this property if all effects of a change are visible in answers.
    fn meets(&self, op: &Self::Op) -> Option<Self::Need>;
}

/// A call, with the span of time in which it took effect.
///
/// Two calls count as concurrent if one returns in the nanosecond in which the other is called.
#[derive(Debug, Clone)]
pub struct Call<Op> {
    /// The earliest time of the effect.
    pub call_ns: u64,
    /// The latest time of the effect; `u64::MAX` if the call never returns. An optional call must
    /// not return earlier than a call that needs its effect.
    pub return_ns: u64,
    /// Whether the call may also have had no effect at all.
    pub is_optional: bool,
    /// The calls that must not take effect after this call, as positions in the slice of all calls.
    /// This call must replace the effects of these calls.
    pub after: Vec<usize>,
    /// The request with its answer.
    pub op: Op,
}

/// The result of the search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchVerdict {
    /// There is an order that explains every answer.
    Ok,
    /// No order explains every answer.
    Illegal(Explanation),
    /// The search gave up. This counts as a failure, since nothing was proven.
    Undecided,
}

/// The farthest point of the search.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explanation {
    /// Number of calls in the longest order that the search reached.
    pub placed: usize,
    /// The last calls of that order, as positions in the given calls.
    pub last_placed: Vec<usize>,
    /// The state after those calls.
    pub state: String,
    /// The calls that could not come next, although one of them had to.
    pub stuck: Vec<usize>,
}

/// Searches for an order of `calls`, which may be given in any order. `give_up` is called from time
/// to time, and the search is undecided once `give_up` returns true.
pub fn check<M: Model>(
    model: &M,
    calls: &[Call<M::Op>],
    give_up: &mut dyn FnMut() -> bool,
) -> SearchVerdict {
    Search::new(model, calls).run(give_up)
}

/// A search in progress.
struct Search<'a, M: Model> {
    model: &'a M,
    calls: &'a [Call<M::Op>],
    entries: Entries,
    placed: Placed,
    state: M::State,
    /// The removed calls, in order.
    order: Vec<RemovedCall<M::State>>,
    /// The searched points: the key of the removed calls, and the state.
    seen: HashSet<(Box<[u64]>, M::State)>,
    helpers: Helpers<M::Need>,
    /// For each optional call, the calls after which it has no effect.
    barred_by: Vec<Vec<usize>>,
    best: Explanation,
}

/// A removed call.
struct RemovedCall<State> {
    call: usize,
    /// The optional calls that were removed right before this call, in order.
    helpers: Vec<usize>,
    /// The state before the helpers and the call. `None` if the call is optional and was removed
    /// without effect.
    before: Option<State>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, calls: &'a [Call<M::Op>]) -> Self {
        let spans: Vec<Span> = calls.iter().map(Call::span).collect();
        let barred_by = barred_by(calls);
        Self {
            model,
            calls,
            entries: Entries::new(&spans),
            placed: Placed::new(&spans),
            state: model.initial(),
            order: Vec::new(),
            seen: HashSet::new(),
            helpers: Helpers::new(model, calls, &barred_by),
            barred_by,
            best: Explanation::default(),
        }
    }

    /// Searches until an order is found, all orders were tried, or `give_up` returns true.
    fn run(mut self, give_up: &mut dyn FnMut() -> bool) -> SearchVerdict {
        let mut steps = 0u32;
        let mut at = self.entries.first();
        // Calls are first tried alone. If no call can be next, all calls are tried again, each
        // together with the optional calls that it needs.
        let mut with_help = false;
        while let Some(entry) = at {
            steps = steps.wrapping_add(1);
            let is_time_to_ask = steps.is_multiple_of(STEPS_PER_QUESTION);
            if is_time_to_ask && give_up() || self.seen.len() > MAX_CACHED {
                return SearchVerdict::Undecided;
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
                    Some(RemovedCall { call, helpers, .. }) => {
                        (self.entries.after_call(call), !helpers.is_empty())
                    }
                    None => return SearchVerdict::Illegal(self.best),
                },
            };
        }
        SearchVerdict::Ok
    }

    /// Removes the call from the list as the next call of the order. Changes nothing and returns
    /// false if the model does not allow the call, or if the search has been at this point before.
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
        self.order.push(RemovedCall {
            call,
            helpers,
            before,
        });
        true
    }

    /// Whether the order still lacks a required call that must take effect before the given call.
    fn comes_too_early(&self, call: usize) -> bool {
        let is_missing =
            |other: &usize| !self.calls[*other].is_optional && !self.placed.contains(*other);
        self.calls[call].after.iter().any(is_missing)
    }

    /// Returns one optional call for each effect that a call needs. Returns `None` if an effect is
    /// needed for which no optional call can be next.
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

    /// Removes an optional call at its return, and gives the call no effect. No call before this
    /// return needed its effect.
    fn leave_out(&mut self, call: usize) -> bool {
        let state = self.state.clone();
        if !self.is_new(call, &[], &state) {
            return false;
        }
        self.entries.take_out(call);
        self.order.push(RemovedCall {
            call,
            helpers: Vec::new(),
            before: None,
        });
        true
    }

    /// Adds the call and its helpers to the placed calls. Adds nothing and returns false if the
    /// search has reached this state with the same calls before.
    fn is_new(&mut self, call: usize, helpers: &[usize], next: &M::State) -> bool {
        let placed = || helpers.iter().chain([&call]);
        placed().for_each(|call| self.placed.insert(*call));
        let is_new = self.seen.insert((self.placed.key(), next.clone()));
        if !is_new {
            placed().for_each(|call| self.placed.remove(*call));
        }
        is_new
    }

    /// Puts back the last call that had an effect, and returns it. Returns `None` if no alternative
    /// is left.
    fn go_back(&mut self) -> Option<RemovedCall<M::State>> {
        self.note_how_far();
        while let Some(taken) = self.order.pop() {
            for call in [taken.call].iter().chain(taken.helpers.iter().rev()) {
                self.placed.remove(*call);
                self.entries.put_back(*call);
            }
            // An optional call without effect is removed only at its return. It has no alternative
            // there, so the search goes back further.
            if let Some(before) = &taken.before {
                self.state = before.clone();
                return Some(taken);
            }
        }
        None
    }

    /// Records the current order for the explanation, if it is the longest so far.
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

/// Returns, for each optional call, the calls after which it has no effect.
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

/// Optional calls by the need that they satisfy, in the order in which they are used.
///
/// The calls of one need are sorted by the time of their return, then by the time of the first call
/// that bars them (a call bars the optional calls that have no effect after it, [`Call::after`]),
/// then by the time of their own call. The search uses the first possible call. This choice loses
/// no order if the sets of barring calls are nested, which holds for the writes of one node. Every
/// other call of the need remains possible wherever the chosen call would have been possible.
struct Helpers<Need>(HashMap<Need, Vec<usize>>);

impl<Need: Copy + Eq + Hash> Helpers<Need> {
    fn new<M: Model<Need = Need>>(
        model: &M,
        calls: &[Call<M::Op>],
        barred_by: &[Vec<usize>],
    ) -> Self {
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
            own.sort_by_key(|call| {
                let bars = barred_by[*call].iter().map(|bar| calls[*bar].call_ns);
                let barred_ns = bars.min().unwrap_or(u64::MAX);
                (calls[*call].return_ns, barred_ns, calls[*call].call_ns)
            });
        }
        Self(helpers)
    }

    fn of(&self, need: Need) -> &[usize] {
        self.0.get(&need).map_or(&[], Vec::as_slice)
    }
}
