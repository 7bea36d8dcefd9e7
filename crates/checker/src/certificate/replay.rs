//! The replay of a history in the order of its indexes.

use super::order::Order;
use super::report::Certificate;
use super::state::{Accepted, State};
use super::violation::Violation;
use super::writers::{WriterChange, Writers, change_of};
use crate::history::{Input, Name, Operation, RecordedService, RequestOutcome};
use crate::log::{Applied, CommittedLog};
use crate::max_age::MaxAge;
use std::collections::{BTreeSet, HashMap, HashSet};

/// A replay of one history.
pub struct Replay<'a> {
    history: &'a [Operation],
    log: Option<&'a CommittedLog>,
    max_age: MaxAge,
    order: &'a Order<'a>,
    certificate: &'a mut Certificate,
    writers: Writers<'a>,
    state: State,
    /// Nodes that an entry of the log has changed. From that entry on, the log contains every
    /// change of the node, so changes are no longer inferred from lookups.
    settled: HashSet<Name>,
    /// For each node, the acknowledged change with the latest call among the changes replayed so
    /// far.
    called_last: HashMap<Name, usize>,
}

/// The source of a change: the history or the log.
#[derive(Debug, Clone, Copy)]
enum ChangeSource<'a> {
    /// An acknowledged change, as a position in the history.
    Acked(usize),
    /// A command of the log.
    Log(&'a Applied),
}

impl<'a> Replay<'a> {
    /// Creates the replay of a history, with the log if there is one.
    pub fn new(
        history: &'a [Operation],
        log: Option<&'a CommittedLog>,
        max_age: MaxAge,
        order: &'a Order<'a>,
        certificate: &'a mut Certificate,
    ) -> Self {
        let writers = Writers::new(history, certificate);
        Self {
            history,
            log,
            max_age,
            order,
            certificate,
            writers,
            state: State::default(),
            settled: HashSet::new(),
            called_last: HashMap::new(),
        }
    }

    /// Replays the whole history, compares every lookup with the replayed state, and reports
    /// violations.
    pub fn run(mut self) {
        let lookups = self.lookups();
        let mut changes = self.changes().into_iter().peekable();
        for same_index in lookups.chunk_by(|(one, _), (other, _)| one == other) {
            let index = same_index[0].0;
            while let Some((index, source)) = changes.next_if(|(other, _)| *other <= index) {
                self.apply(index, source);
            }
            // All lookups of this index are used to infer changes before the first of these lookups
            // is compared with the state.
            for &(index, at) in same_index {
                self.learn(index, at);
            }
            for &(index, at) in same_index {
                self.compare(index, at);
            }
        }
        for (index, source) in changes {
            self.apply(index, source);
        }
        if let Some(log) = self.log {
            for operation in self.writers.lost(log.from_index) {
                self.certificate.report(Violation::LostAck { operation });
            }
        }
    }

    /// Returns the answered lookups, sorted by index.
    fn lookups(&self) -> Vec<(u64, usize)> {
        let mut lookups: Vec<(u64, usize)> = self
            .history
            .iter()
            .enumerate()
            .filter(|(_, operation)| matches!(operation.outcome, RequestOutcome::Found(_)))
            .filter_map(|(at, operation)| Some((operation.index?, at)))
            .collect();
        lookups.sort_unstable();
        lookups
    }

    /// Returns the acknowledged changes of the history up to the beginning of the log, then the
    /// changes in the log.
    fn changes(&self) -> Vec<(u64, ChangeSource<'a>)> {
        let log_from = self.log.map_or(u64::MAX, |log| log.from_index);
        let mut changes: Vec<(u64, ChangeSource<'a>)> = self
            .history
            .iter()
            .enumerate()
            .filter(|(_, operation)| operation.outcome == RequestOutcome::Acked)
            .filter_map(|(at, operation)| Some((operation.index?, ChangeSource::Acked(at))))
            .filter(|(index, _)| *index < log_from)
            .collect();
        changes.sort_by_key(|(index, _)| *index);
        for entry in self.log.map_or(&[][..], |log| &log.entries) {
            let applied = entry.applied.iter();
            changes.extend(applied.map(|applied| (entry.index, ChangeSource::Log(applied))));
        }
        changes
    }

    /// Applies a change to the replayed state.
    fn apply(&mut self, index: u64, source: ChangeSource<'a>) {
        match source {
            ChangeSource::Acked(at) => {
                self.note_call(at);
                self.perform(at, self.order.called_before(index));
            }
            ChangeSource::Log(applied) => self.apply_logged(index, applied),
        }
    }

    /// Applies the change that an operation requested. The change certainly happened after
    /// `since_ns`.
    fn perform(&mut self, at: usize, since_ns: u64) {
        self.certificate.writes += 1;
        match &self.history[at].input {
            Input::Announce {
                node,
                pool,
                types,
                token,
            } => {
                let accepted = self.accepted(Some(at), since_ns);
                self.state.announce(node, pool, types, *token, accepted);
            }
            Input::Withdraw { node } => self.state.remove(node),
            Input::Lookup { .. } => {}
        }
    }

    /// Returns the record of an accepted announcement or renewal. The server accepted the change
    /// after `since_ns` and after the call of `operation`. The later of the two times is therefore
    /// the lower bound on the time of acceptance.
    fn accepted(&self, operation: Option<usize>, since_ns: u64) -> Accepted {
        let call_ns = operation.map_or(0, |at| self.history[at].call_ns);
        Accepted {
            operation,
            low_ns: since_ns.max(call_ns),
        }
    }

    /// Records the call of a replayed change, if the change was acknowledged.
    fn note_call(&mut self, at: usize) {
        let operation = &self.history[at];
        let Some(node) = operation.input.node() else {
            return;
        };
        if operation.outcome != RequestOutcome::Acked {
            return;
        }
        let last = self.called_last.entry(node.clone()).or_insert(at);
        if self.history[*last].call_ns < operation.call_ns {
            *last = at;
        }
    }

    /// Reports a change that has an effect although another write of the node had overtaken it. The
    /// other write was called after this change had arrived, and was acknowledged with an earlier
    /// index.
    fn judge_order(&mut self, index: u64, node: &'a Name, change: WriterChange) {
        let Some(log) = self.log else {
            return;
        };
        if !log.is_complete && !self.settled.contains(node) {
            // The log is incomplete and has not changed this node yet, so it is uncertain whether
            // the change has an effect.
            return;
        }
        let has_effect = match (self.state.held(node), change) {
            (Some(held), WriterChange::To(token)) => held.token != token,
            (None, WriterChange::To(_)) | (Some(_), WriterChange::Gone) => true,
            (None, WriterChange::Gone) => false,
        };
        if !has_effect {
            return;
        }
        let order = self.order;
        let is_possible =
            |operation: &Operation| order.known_before(index, operation.call_ns).is_none();
        if let Some(&second) = self.called_last.get(node)
            && let Some((arrived_ns, first)) =
                self.writers.last_arrived(index, node, change, is_possible)
            && arrived_ns < self.history[second].call_ns
        {
            self.certificate.report(Violation::Overtaken {
                first,
                second,
                index,
            });
        }
    }

    /// Applies a command of the log to the replayed state.
    fn apply_logged(&mut self, index: u64, applied: &'a Applied) {
        if !self.writers.knows(applied.node()) {
            // The history does not change this node, so the node belongs to another client. The
            // node is not replayed, so a lookup that shows the node is a violation.
            return;
        }
        match applied {
            Applied::Announce {
                node,
                pool,
                types,
                token,
            } => {
                self.judge_order(index, node, WriterChange::To(*token));
                let at = self.asked_for(index, node, WriterChange::To(*token));
                let accepted = self.accepted(at, self.order.called_before(index));
                self.state.announce(node, pool, types, *token, accepted);
                self.certificate.writes += 1;
                self.settled.insert(node.clone());
            }
            Applied::Renew { node } => self.renew(index, node),
            Applied::Withdraw { node } => {
                self.judge_order(index, node, WriterChange::Gone);
                self.asked_for(index, node, WriterChange::Gone);
                self.state.remove(node);
                self.certificate.writes += 1;
                self.settled.insert(node.clone());
            }
            Applied::Expire { node } => {
                if self.state.held(node).is_some() {
                    self.expire(index, node);
                }
                self.settled.insert(node.clone());
            }
        }
    }

    /// Applies a renewal in the log.
    fn renew(&mut self, index: u64, node: &Name) {
        let Some(held) = self.state.held(node) else {
            // The announcement of the node is older than the first entry of the log, so only the
            // history contains it.
            if let Some(at) = self.writers.acked(index, node) {
                if let Some(change) = change_of(&self.history[at].input) {
                    self.writers.take_acked(index, node, change);
                }
                self.note_call(at);
                self.perform(at, self.order.called_before(index));
            }
            return;
        };
        let change = WriterChange::To(held.token);
        let at = self.asked_for(index, node, change);
        let accepted = self.accepted(at, self.order.called_before(index));
        self.state.renew(node, accepted);
        self.certificate.writes += 1;
        self.settled.insert(node.clone());
    }

    /// Returns the operation that requested a change in the log. Reports a change that was refused
    /// or never requested. Also reports a change with an impossible index: an answer read before
    /// the call of the change already had this index or a later index.
    fn asked_for(&mut self, index: u64, node: &Name, change: WriterChange) -> Option<usize> {
        if let Some(at) = self.writers.take_acked(index, node, change) {
            self.note_call(at);
            return Some(at);
        }
        let is_it = |operation: &Operation| change_of(&operation.input) == Some(change);
        if let Some(second) = self.writers.take_unknown(node, is_it) {
            self.certificate.unknown_placed += 1;
            let call_ns = self.history[second].call_ns;
            if let Some(first) = self.order.known_before(index, call_ns) {
                self.certificate.report(Violation::BeforeItsCall {
                    first,
                    second,
                    index,
                });
            }
            return Some(second);
        }
        if let Some(operation) = self.writers.take_refused(node, change) {
            self.certificate
                .report(Violation::RefusedButApplied { operation, index });
            return Some(operation);
        }
        let node = node.clone();
        self.certificate
            .report(Violation::NobodyAsked { node, index });
        None
    }

    /// Removes a node that expired. Reports the expiry if it is too early.
    fn expire(&mut self, index: u64, node: &Name) {
        self.certificate.expiries += 1;
        if let Some(held) = self.state.held(node)
            && let Some((by_ns, known_by)) = self.order.known(index)
        {
            let age_ns = by_ns.saturating_sub(held.accepted.low_ns);
            if age_ns < self.max_age.least_life_ns() {
                self.certificate.report(Violation::EarlyExpiry {
                    node: node.clone(),
                    index,
                    age_ms: age_ns / 1_000_000,
                    renewal: held.accepted.operation,
                    known_by,
                });
            }
        }
        self.state.remove(node);
    }

    /// Infers the expiries and the changes with unknown outcomes without which this lookup would be
    /// wrong. Applies them at the index of the lookup.
    fn learn(&mut self, index: u64, at: usize) {
        let (missing, wrong) = self.difference(at);
        if missing.is_empty() && wrong.is_empty() {
            return;
        }
        let shown: HashSet<&Name> = self.found(at).iter().map(|service| &service.node).collect();
        let gone: BTreeSet<&Name> = missing
            .iter()
            .map(|service| &service.node)
            .filter(|node| !shown.contains(node) && self.may_guess(node))
            .collect();
        let new: BTreeSet<(&Name, u64)> = wrong
            .iter()
            .map(|service| (&service.node, service.token))
            .filter(|(node, _)| self.may_guess(node))
            .collect();
        for node in gone {
            self.learn_absence(index, at, node);
        }
        for (node, token) in new {
            let is_it = |operation: &Operation| {
                change_of(&operation.input) == Some(WriterChange::To(token))
            };
            self.place_unknown(index, node, is_it);
        }
    }

    /// Whether changes of a node may be inferred from lookups. They may be inferred unless the log
    /// contains every change of the node.
    fn may_guess(&self, node: &Name) -> bool {
        !self.log.is_some_and(|log| log.is_complete) && !self.settled.contains(node)
    }

    /// Explains why a lookup does not show a node. Applies an expiry if the node can have expired.
    /// Otherwise applies a change with an unknown outcome after which the lookup omits the node.
    /// Without such a change, applies the expiry and reports it as early.
    fn learn_absence(&mut self, index: u64, at: usize, node: &Name) {
        let accepted_ns = self.accepted_ns(node);
        let expired_at_ns = accepted_ns.saturating_add(self.max_age.least_life_ns());
        let may_have_expired = self.order.known_before(index, expired_at_ns).is_none();
        let lookup = &self.history[at].input;
        let explains = |operation: &Operation| !shows(lookup, &operation.input);
        if may_have_expired || !self.place_unknown(index, node, explains) {
            self.expire(index, node);
        }
    }

    /// Finds a change of a node that has an unknown outcome and that `is_it` accepts, and applies
    /// the change at an index. The change must have been called before any operation with this
    /// index or a later index returned. Returns whether such a change was found.
    fn place_unknown(
        &mut self,
        index: u64,
        node: &Name,
        is_it: impl Fn(&Operation) -> bool,
    ) -> bool {
        let order = self.order;
        let placed = self.writers.take_unknown(node, |operation| {
            is_it(operation) && order.known_before(index, operation.call_ns).is_none()
        });
        if let Some(at) = placed {
            self.certificate.unknown_placed += 1;
            // The index of the change in the log is unknown. It is certain only that the change
            // came after the previous announcement of the node.
            self.perform(at, self.accepted_ns(node));
        }
        placed.is_some()
    }

    /// Returns a lower bound on the time at which the announcement of a node was accepted.
    fn accepted_ns(&self, node: &Name) -> u64 {
        self.state.held(node).map_or(0, |held| held.accepted.low_ns)
    }

    /// Compares a lookup with the replayed state of its index.
    fn compare(&mut self, index: u64, at: usize) {
        self.certificate.lookups += 1;
        let (missing, wrong) = self.difference(at);
        if !missing.is_empty() || !wrong.is_empty() {
            self.certificate.report(Violation::WrongLookup {
                operation: at,
                index,
                missing,
                wrong,
            });
        }
    }

    fn found(&self, at: usize) -> &'a [RecordedService] {
        match &self.history[at].outcome {
            RequestOutcome::Found(services) => services,
            _ => &[],
        }
    }

    /// Compares the result of a lookup with the state. Returns the services that are missing from
    /// the result, and the services that the result should not contain.
    fn difference(&self, at: usize) -> (Vec<RecordedService>, Vec<RecordedService>) {
        let Input::Lookup { service_type, pool } = &self.history[at].input else {
            return (Vec::new(), Vec::new());
        };
        let expected = self.state.services(service_type.as_ref(), pool.as_ref());
        let mut found: Vec<&RecordedService> = self.found(at).iter().collect();
        found.sort_unstable();
        difference(expected, found)
    }
}

/// Whether an announcement has a service of the type and pool that a lookup requests.
fn shows(lookup: &Input, announce: &Input) -> bool {
    match (lookup, announce) {
        (
            Input::Lookup {
                service_type,
                pool: of_pool,
            },
            Input::Announce { pool, types, .. },
        ) => {
            let is_type = service_type.as_ref().is_none_or(|one| types.contains(one));
            is_type && of_pool.as_ref().is_none_or(|one| one == pool)
        }
        _ => false,
    }
}

/// Returns the services that are only in the first of two sorted lists, and the services that are
/// only in the second list.
fn difference(
    expected: Vec<RecordedService>,
    found: Vec<&RecordedService>,
) -> (Vec<RecordedService>, Vec<RecordedService>) {
    let (mut missing, mut wrong) = (Vec::new(), Vec::new());
    let mut found = found.into_iter().peekable();
    for service in expected {
        while let Some(other) = found.next_if(|other| **other < service) {
            wrong.push(other.clone());
        }
        if found.next_if(|other| **other == service).is_none() {
            missing.push(service);
        }
    }
    wrong.extend(found.cloned());
    (missing, wrong)
}
