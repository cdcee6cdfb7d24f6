//! The promise: what becomes of a waiting call whose task is cancelled does not
//! depend on luck. A table: every call that waits, in every state in which a
//! cancellation may find it, with both deliveries.
//!
//! Each cell says how the call ended and what ran after it, that nothing was
//! lost, how much time passed, and that nothing is left.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

#[path = "cancel_table/broadcasts.rs"]
mod broadcasts;
#[path = "cancel_table/columns.rs"]
mod columns;
#[path = "cancel_table/datagrams.rs"]
mod datagrams;
#[path = "cancel_table/descriptors.rs"]
mod descriptors;
#[path = "cancel_table/locks.rs"]
mod locks;
#[cfg(target_os = "linux")]
#[path = "cancel_table/processes.rs"]
mod processes;
#[path = "cancel_table/queues.rs"]
mod queues;
#[path = "cancel_table/remotes.rs"]
mod remotes;
#[path = "cancel_table/rows.rs"]
mod rows;
#[cfg(target_os = "linux")]
#[path = "cancel_table/signals.rs"]
mod signals;
#[path = "cancel_table/sockets.rs"]
mod sockets;
#[path = "cancel_table/threads.rs"]
mod threads;

use std::time::Duration;

use broadcasts::{BROADCAST, BROADCAST_ARM, BROADCAST_ITER, CHANGED, WAIT_FOR, WATCH_ARM};
use datagrams::{PEEK_FROM, RECEIVE, RECEIVE_FROM, RECEIVE_MANY, UNIX_RECEIVE};
#[cfg(target_os = "linux")]
use datagrams::{UNIX_SEND, UNIX_SEND_TO};
use descriptors::{
    ASYNC_ARM, ASYNC_READ, ASYNC_READ_WITH, ASYNC_READABLE, ASYNC_WRITABLE, ASYNC_WRITE, COPY,
    COPY_BIDIRECTIONAL, PIPE_READ, PIPE_WRITE, SOCKET_READABLE, VIEW_READABLE,
};
use greenroom::{Instant, current, park, scope, shield, sleep, spawn, timeout, yield_now};
use locks::{
    ACQUIRE, ACQUIRE_OWNED, BARRIER, CHECKED_ACQUIRE, CHECKED_LOCK, CHECKED_READ, CHECKED_WRITE,
    CONDVAR, LOCK, ONCE_CELL, READ_LOCK, WRITE_LOCK,
};
#[cfg(target_os = "linux")]
use processes::{CHILD, CHILD_READ, CHILD_WRITE};
use queues::{ALL_DONE, POP, PUSH, PUSH_RENDEZVOUS};
use remotes::{REMOTE_ARM, REMOTE_ITER, REMOTE_RECV, REMOTE_RENDEZVOUS, REMOTE_SEND};
use rows::{
    CHECKPOINT, GENERATOR_RECEIVES, GENERATOR_SLEEPS, ITER, JOIN, LONG, PARK, RECV, SCOPE_EXIT,
    SCOPED_JOIN, SCOPED_TRY_JOIN, SEND_FULL, SEND_RENDEZVOUS, SLEEP, SLEEP_UNTIL, STARTED,
    SUPERVISED_JOIN, TICK, TIMER, YIELD,
};
#[cfg(target_os = "linux")]
use signals::{SIGNAL, SIGNAL_ARM};
use sockets::{ACCEPT, CONNECT, PEEK, READ, SEND_FILE, UNIX_READ, WRITE};
#[cfg(target_os = "linux")]
use sockets::{UNIX_ACCEPT, UNIX_CONNECT};
use support::{Log, OnDrop};
use threads::{
    REMOTE_JOIN, REMOTE_JOIN_ARM, REMOTE_JOIN_BY_REFERENCE, REMOTE_JOIN_TIMEOUT, UNBLOCK,
};

const SECOND: Duration = Duration::from_secs(1);

macro_rules! table {
    ($columns:tt; $($row:ident: $call:ident,)*) => {
        $(mod $row { table! { @row $call $columns } })*
    };
    (@row $call:ident [$($column:ident)*]) => {
        $(mod $column {
            use greenroom::Delivery;
            use crate::columns::Place;

            #[test]
            fn unwind() {
                Place::run(crate::$call, Delivery::Unwind, crate::columns::$column);
            }

            #[test]
            fn error() {
                Place::run(crate::$call, Delivery::Error, crate::columns::$column);
            }
        })*
    };
}

table! {
    [
        unstarted ready parked twice self_cancelled finished in_a_panic in_a_cancellation
        shielded shielded_late past_deadline deadline equal_deadlines in_a_child completed
    ];
    yields: YIELD,
    checkpoints: CHECKPOINT,
    sleeps: SLEEP,
    sleeps_until: SLEEP_UNTIL,
    waits_for_a_timer: TIMER,
    ticks: TICK,
    parks: PARK,
    sends_to_a_full_channel: SEND_FULL,
    sends_hand_to_hand: SEND_RENDEZVOUS,
    receives: RECV,
    iterates: ITER,
    pushes_to_a_full_queue: PUSH,
    pushes_hand_to_hand: PUSH_RENDEZVOUS,
    pops: POP,
    sends_to_another_thread: REMOTE_SEND,
    meets_another_thread: REMOTE_RENDEZVOUS,
    receives_from_another_thread: REMOTE_RECV,
    iterates_over_another_threads_values: REMOTE_ITER,
    selects_from_another_thread: REMOTE_ARM,
    waits_until_all_is_done: ALL_DONE,
    joins: JOIN,
    joins_a_child: SCOPED_JOIN,
    tries_to_join_a_child: SCOPED_TRY_JOIN,
    joins_a_supervised_child: SUPERVISED_JOIN,
    leaves_a_scope: SCOPE_EXIT,
    starts_a_child: STARTED,
    locks_a_mutex: LOCK,
    locks_a_mutex_checked: CHECKED_LOCK,
    locks_to_read: READ_LOCK,
    locks_to_read_checked: CHECKED_READ,
    locks_to_write: WRITE_LOCK,
    locks_to_write_checked: CHECKED_WRITE,
    acquires: ACQUIRE,
    acquires_owned: ACQUIRE_OWNED,
    acquires_checked: CHECKED_ACQUIRE,
    waits_for_a_condition: CONDVAR,
    meets_at_a_barrier: BARRIER,
    initialises_a_cell: ONCE_CELL,
    receives_a_broadcast: BROADCAST,
    iterates_over_a_broadcast: BROADCAST_ITER,
    selects_a_broadcast: BROADCAST_ARM,
    waits_for_a_change: CHANGED,
    waits_for_a_value: WAIT_FOR,
    selects_a_watch: WATCH_ARM,
    unblocks: UNBLOCK,
    joins_by_a_handle: REMOTE_JOIN,
    joins_by_a_reference_to_a_handle: REMOTE_JOIN_BY_REFERENCE,
    joins_by_a_handle_with_a_limit: REMOTE_JOIN_TIMEOUT,
    selects_the_end_by_a_handle: REMOTE_JOIN_ARM,
    accepts: ACCEPT,
    reads: READ,
    peeks: PEEK,
    writes: WRITE,
    sends_a_file: SEND_FILE,
    connects: CONNECT,
    reads_from_a_unix_socket: UNIX_READ,
    receives_a_datagram: RECEIVE,
    receives_a_datagram_and_its_sender: RECEIVE_FROM,
    peeks_at_a_datagram: PEEK_FROM,
    receives_many_datagrams: RECEIVE_MANY,
    receives_a_unix_datagram: UNIX_RECEIVE,
    waits_until_a_socket_is_readable: SOCKET_READABLE,
    waits_until_a_view_is_readable: VIEW_READABLE,
    reads_from_a_pipe: PIPE_READ,
    writes_into_a_pipe: PIPE_WRITE,
    copies: COPY,
    copies_both_ways: COPY_BIDIRECTIONAL,
    reads_from_a_descriptor: ASYNC_READ,
    reads_with_a_call: ASYNC_READ_WITH,
    writes_to_a_descriptor: ASYNC_WRITE,
    waits_until_a_descriptor_is_readable: ASYNC_READABLE,
    waits_until_a_descriptor_is_writable: ASYNC_WRITABLE,
    selects_a_descriptor: ASYNC_ARM,
    takes_from_a_generator_that_sleeps: GENERATOR_SLEEPS,
    takes_from_a_generator_that_receives: GENERATOR_RECEIVES,
}

// What only Linux has.
#[cfg(target_os = "linux")]
table! {
    [
        unstarted ready parked twice self_cancelled finished in_a_panic in_a_cancellation
        shielded shielded_late past_deadline deadline equal_deadlines in_a_child completed
    ];
    accepts_a_unix_connection: UNIX_ACCEPT,
    sends_a_unix_datagram: UNIX_SEND,
    receives_a_signal: SIGNAL,
    selects_a_signal: SIGNAL_ARM,
    waits_for_a_child: CHILD,
    reads_from_a_child: CHILD_READ,
    writes_to_a_child: CHILD_WRITE,
}

// They try again and again, and where there is room they do not wait at all.
#[cfg(target_os = "linux")]
table! {
    [
        unstarted ready parked twice self_cancelled finished in_a_panic in_a_cancellation
        past_deadline deadline equal_deadlines in_a_child
    ];
    connects_to_a_full_unix_listener: UNIX_CONNECT,
    sends_a_unix_datagram_to_an_address: UNIX_SEND_TO,
}

// What the table has no room for.

/// A permit is taken by `park` and by nothing else.
#[test]
fn a_permit_outlives_a_cancelled_call() {
    support::on_virtual(|| {
        current().unpark();
        assert!(timeout(SECOND, || sleep(LONG)).is_err());
        park(); // returns at once
        current().unpark();
        // The permit is there: a park that completes wins.
        assert_eq!(timeout(Duration::ZERO, park), Ok(()));
        assert!(timeout(Duration::ZERO, park).is_err());
    });
}

/// A child's handle joined in a destructor, while the task and the child unwind.
#[test]
fn a_child_is_joined_in_a_destructor() {
    let log = Log::new();
    support::on_virtual(|| {
        let l = log.clone();
        let task = spawn(move || {
            scope(|s| {
                let mut slow = Some(s.spawn(|| {
                    shield(|| sleep(SECOND));
                    5
                }));
                let mut quick = Some(s.spawn(|| sleep(LONG)));
                let _guard = OnDrop(|| {
                    l.add(format!("{}", slow.take().unwrap().join()));
                    l.add(format!("{:?}", quick.take().unwrap().try_join()));
                });
                park();
            });
        });
        (0..3).for_each(|_| yield_now());
        task.cancel();
        let start = Instant::now();
        assert!(task.join().unwrap_err().is_cancelled());
        assert_eq!(start.elapsed(), SECOND);
    });
    assert_eq!(log.take(), ["5", "Err(JoinError::Cancelled)"]);
}

/// A scope opened in the destructor of a cancelled task: its children are dropped
/// unrun, and the destructor goes on.
#[test]
fn a_scope_in_a_destructor_of_a_cancelled_task() {
    let log = Log::new();
    support::on_virtual(|| {
        let l = log.clone();
        let task = spawn(move || {
            let _guard = OnDrop(|| {
                scope(|s| drop(s.spawn(|| l.add("ran"))));
                let ended = scope(|s| s.spawn(|| l.add("ran")).try_join());
                assert!(ended.unwrap_err().is_cancelled());
                shield(|| scope(|s| drop(s.spawn(|| l.add("ran in a shield")))));
                l.add("went on");
            });
            park();
        });
        yield_now();
        task.cancel();
        assert!(task.join().unwrap_err().is_cancelled());
    });
    assert_eq!(log.take(), ["ran in a shield", "went on"]);
}
