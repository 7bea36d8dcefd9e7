//! Tests of the search with a simple model, a register.

use crate::linearizable::{Call, Model, SearchVerdict, check};
use crate::random::Random;

/// A register with one number.
struct Register;

#[derive(Debug, Clone, Copy)]
enum Op {
    Write(u64),
    Read(u64),
}

impl Model for Register {
    type State = u64;
    type Op = Op;
    /// A write of this value.
    type Need = u64;

    fn initial(&self) -> u64 {
        0
    }

    fn step(&self, state: &u64, op: &Op) -> Option<u64> {
        match op {
            Op::Write(value) => Some(*value),
            Op::Read(value) => (value == state).then_some(*state),
        }
    }

    fn needs(&self, state: &u64, op: &Op) -> Option<Vec<u64>> {
        match op {
            Op::Read(value) if value != state => Some(vec![*value]),
            _ => Some(Vec::new()),
        }
    }

    fn meets(&self, op: &Op) -> Option<u64> {
        match op {
            Op::Write(value) => Some(*value),
            Op::Read(_) => None,
        }
    }
}

fn call(call_ns: u64, return_ns: u64, op: Op) -> Call<Op> {
    Call {
        call_ns,
        return_ns,
        is_optional: false,
        after: Vec::new(),
        op,
    }
}

fn verdict(calls: &[Call<Op>]) -> SearchVerdict {
    check(&Register, calls, &mut || false)
}

/// Whether an order explains the calls. Trying every order is certainly correct, but too slow for
/// more than a few calls.
fn has_an_order(calls: &[Call<Op>], left: &[usize], state: u64) -> bool {
    left.iter().all(|&call| calls[call].is_optional)
        || left.iter().any(|&next| {
            let is_over = |&&other: &&usize| calls[other].return_ns < calls[next].call_ns;
            let Some(after) = Register.step(&state, &calls[next].op) else {
                return false;
            };
            if left
                .iter()
                .filter(is_over)
                .any(|&over| !calls[over].is_optional)
            {
                return false;
            }
            let is_missing = |call: &usize| left.contains(call) && !calls[*call].is_optional;
            if calls[next].after.iter().any(is_missing) || is_barred(calls, left, next) {
                return false;
            }
            // If an optional call returned before this call and was not placed, it had no effect.
            let others = left
                .iter()
                .filter(|other| **other != next && !is_over(other));
            has_an_order(calls, &others.copied().collect::<Vec<usize>>(), after)
        })
}

/// Whether a call that must come after the given optional call was already placed.
fn is_barred(calls: &[Call<Op>], left: &[usize], call: usize) -> bool {
    let comes_after = |later: usize| calls[later].after.contains(&call) && !left.contains(&later);
    calls[call].is_optional && (0..calls.len()).any(comes_after)
}

/// Makes some required writes come after some of the writes that overlap with them.
fn put_in_order(random: &mut Random, calls: &mut [Call<Op>]) {
    let is_write = |call: &Call<Op>| matches!(call.op, Op::Write(_));
    for later in 0..calls.len() {
        if calls[later].is_optional || !is_write(&calls[later]) {
            continue;
        }
        let from = calls.iter().enumerate().filter(|(earlier, call)| {
            *earlier != later && is_write(call) && call.return_ns >= calls[later].call_ns
        });
        let after: Vec<usize> = from.map(|(earlier, _)| earlier).collect();
        calls[later].after = after.into_iter().filter(|_| random.chance(30)).collect();
    }
}

/// Returns the return time of the last read that a write may explain, or the time of the write's
/// call if that is later.
fn useful_until_ns(calls: &[Call<Op>], write: &Call<Op>) -> u64 {
    let reads = calls.iter().filter(
        |read| matches!((read.op, write.op), (Op::Read(shown), Op::Write(value)) if shown == value),
    );
    let last_ns = reads.map(|read| read.return_ns).max();
    last_ns.unwrap_or_default().max(write.call_ns)
}

/// The search gives the same verdict as trying every order, on 4,000 random histories of up to
/// seven calls.
#[test]
fn the_search_agrees_with_trying_every_order() {
    let mut random = Random::new(1);
    let mut legal = 0;
    for _ in 0..4_000 {
        let mut calls: Vec<Call<Op>> = (0..1 + random.below(7))
            .map(|_| {
                let call_ns = random.below(12);
                let value = random.below(3);
                let return_ns = call_ns + random.below(6);
                if random.chance(50) {
                    let is_optional = random.chance(30);
                    let over_ns = if is_optional { u64::MAX } else { return_ns };
                    Call {
                        is_optional,
                        ..call(call_ns, over_ns, Op::Write(value))
                    }
                } else {
                    call(call_ns, return_ns, Op::Read(value))
                }
            })
            .collect();
        let bounds_ns: Vec<u64> = calls
            .iter()
            .map(|call| useful_until_ns(&calls, call))
            .collect();
        for (call, bound_ns) in calls.iter_mut().zip(bounds_ns) {
            if call.is_optional && random.chance(50) {
                call.return_ns = bound_ns;
            }
        }
        if random.chance(50) {
            put_in_order(&mut random, &mut calls);
        }
        let by_brute_force = has_an_order(&calls, &(0..calls.len()).collect::<Vec<usize>>(), 0);
        assert_eq!(
            verdict(&calls) == SearchVerdict::Ok,
            by_brute_force,
            "{calls:?}"
        );
        legal += usize::from(by_brute_force);
    }
    assert!(
        (1_000..3_000).contains(&legal),
        "{legal} of 4,000 are legal"
    );
}

/// A search is undecided as soon as `give_up` returns true.
#[test]
fn a_search_that_gives_up_is_undecided() {
    // No order explains a read of a value that was not written, so all orders of the twenty writes
    // must be tried.
    let mut calls: Vec<Call<Op>> = (1..=20)
        .map(|value| call(0, 10, Op::Write(value)))
        .collect();
    calls.push(call(11, 12, Op::Read(99)));
    let mut asked = 0;
    let verdict = check(&Register, &calls, &mut || {
        asked += 1;
        asked == 3
    });
    assert_eq!((verdict, asked), (SearchVerdict::Undecided, 3));
}

/// An empty history is legal.
#[test]
fn an_empty_history_is_legal() {
    assert_eq!(verdict(&[]), SearchVerdict::Ok);
}

/// A call that never returns does not slow down the search: its time stays linear in the length of
/// a history.
#[test]
fn calls_that_never_return_cost_little() {
    let mut calls = vec![
        call(0, u64::MAX, Op::Write(1)),
        call(0, u64::MAX, Op::Write(2)),
    ];
    for at in 1..20_000 {
        calls.push(call(at * 10, at * 10 + 5, Op::Write(at + 2)));
        calls.push(call(at * 10 + 6, at * 10 + 9, Op::Read(at + 2)));
    }
    let mut questions = 0;
    let verdict = check(&Register, &calls, &mut || {
        questions += 1;
        questions > 1_000
    });
    assert_eq!(verdict, SearchVerdict::Ok);
}
