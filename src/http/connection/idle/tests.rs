//! Tests of the idle limits of a connection, and of the decision when the connection is parked.

use super::*;
use crate::clock::now;

const S: Duration = Duration::from_secs(1);

fn closed(state: &ConnectionState, at: Instant) -> bool {
    state.deadline(at) <= at
}

/// A connection whose request head arrives too slowly is cut off, even if bytes keep arriving.
#[test]
fn a_trickling_head_is_cut_off() {
    let began = now();
    let state = Arc::new(ConnectionState::new(began, S, Protocol::Http1));
    for second in 1..8 {
        state.read(b"x", began + second * S);
        assert!(!closed(&state, began + second * S));
    }
    assert!(closed(&state, began + HEAD_TIMEOUT));
}

/// A connection between requests may stay idle for 200 s. On HTTP/1, the next byte begins a head,
/// which has its own limit. On HTTP/2, a byte need not begin a head, so the connection may stay
/// idle for another 200 s.
#[test]
fn an_idle_connection_may_wait() {
    for http2 in [false, true] {
        let began = now();
        let state = Arc::new(ConnectionState::new(began, S, Protocol::Http1));
        drop(state.request(http2));
        state.wrote(&[], 1, began + S);
        assert!(!closed(&state, began + 200 * S));
        assert!(closed(&state, began + 201 * S));
        state.read(b"x", began + 202 * S);
        assert_eq!(
            closed(&state, began + 212 * S),
            !http2,
            "HTTP/1.1 began a head, HTTP/2 need not have"
        );
    }
}

/// The connection's limits do not apply while a request is in flight. They apply again once the
/// request is answered.
#[test]
fn a_request_in_flight_is_not_ours_to_end() {
    let began = now();
    let state = Arc::new(ConnectionState::new(began, S, Protocol::Http1));
    let in_flight = state.request(false);
    assert!(!closed(&state, began + 1_000 * S));
    drop(in_flight);
    assert!(closed(&state, began + 1_000 * S));
}

/// A connection is parked only after its last request and response are complete, and before a byte
/// of the next request arrives. An HTTP/2 connection is never parked.
#[test]
fn what_is_under_way_is_not_parked() {
    let began = now();
    let later = began + 100 * S;
    let state = Arc::new(ConnectionState::new(began, S, Protocol::Http1));
    assert!(!state.is_to_be_parked(later), "before the first head");
    state.read(b"x", began);
    let in_flight = state.request(false);
    assert!(!state.is_to_be_parked(later), "in flight");
    let body = state.exchange();
    drop(in_flight);
    // This byte belongs to the body of a rejected request.
    state.read(b"x", began);
    assert!(!state.is_to_be_parked(later), "a body");
    drop(body);
    state.write_must_wait(began);
    assert!(!state.is_to_be_parked(later), "its end is not sent");
    state.wrote(&[], 1, later);
    state.flushed();
    assert!(!state.is_to_be_parked(later), "just now");
    assert!(state.is_to_be_parked(later + S));
    state.read(b"x", later);
    assert!(!state.is_to_be_parked(later + 100 * S), "a head");
    drop(state.request(true));
    assert!(!state.is_to_be_parked(later + 100 * S), "HTTP/2");
}

/// A client is cut off if it takes nothing of its response, or takes it one byte at a time. The
/// bytes that the client sends make no difference.
#[test]
fn a_stalled_reader_is_cut_off() {
    let late = STALL_TIMEOUT.as_secs() as u32;
    for (taken, stays) in [(0, false), (1, false), (PROGRESS_BYTES / 4, true)] {
        let began = now();
        let state = Arc::new(ConnectionState::new(began, S, Protocol::Http1));
        drop(state.request(false));
        let another = state.request(false);
        state.write_must_wait(began);
        for second in 1..late {
            state.wrote(&[], taken, began + second * S);
            state.write_must_wait(began + second * S);
            state.read(b"x", began + second * S);
            assert!(!closed(&state, began + second * S), "{taken}");
        }
        assert_eq!(closed(&state, began + late * S), !stays, "{taken}");
        drop(another);
        state.flushed();
        let ended = began + (late + 1) * S;
        drop(state.request(false));
        assert!(!closed(&state, ended), "it has all of it");
    }
}

/// An HTTP/2 connection is idle when nothing was in progress at two consecutive checks.
#[test]
fn a_connection_of_http2_rests_between_requests() {
    let state = Arc::new(ConnectionState::new(now(), S, Protocol::Http2));
    assert!(!state.is_idle(), "before its first request");
    let in_flight = state.request(true);
    assert!(!state.is_idle());
    let stream = in_flight.streaming();
    drop(in_flight);
    assert!(!state.is_idle());
    assert!(!state.is_idle(), "a stream");
    drop(stream);
    assert!(state.is_idle());
    drop(state.request(true));
    assert!(!state.has_nothing_under_way(), "it may not be written yet");
    assert!(!state.is_idle());
    assert!(state.is_idle());
}
