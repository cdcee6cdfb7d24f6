//! What becomes of the process.

use std::process::Command;

use greenroom::signal::{self, SignalKind, Signals};
use greenroom::{run, spawn, yield_now};

use crate::raise::runs_on_the_alternate_stack;
use crate::support::{case, rerun};
use crate::{own_kind, raise};

#[test]
fn ctrl_c_ends_the_wait_and_not_the_process() {
    let test = "process::ctrl_c_ends_the_wait_and_not_the_process";
    if case().is_none() {
        let ended = rerun(test, "ctrl-c", &[]);
        ended.assert_success();
        assert!(ended.stdout.contains("good bye"), "{ended:?}");
        return;
    }
    run(|| {
        let waits = spawn(signal::ctrl_c);
        yield_now();
        raise(SignalKind::INTERRUPT);
        waits.join().unwrap().unwrap();
        // Afterwards it is ignored.
        raise(SignalKind::INTERRUPT);
        println!("good bye");
    });
}

#[test]
fn another_process_can_send_them_too() {
    let kind = SignalKind::USER_DEFINED1;
    let signals = Signals::new([kind]).unwrap();
    run(move || {
        let pid = std::process::id();
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -s USR1 {pid}")])
            .status();
        assert!(sent.unwrap().success());
        assert_eq!(signals.recv().unwrap(), kind);
    });
}

#[test]
fn a_child_has_the_default_again() {
    let _signals = Signals::new([SignalKind::USER_DEFINED2]).unwrap();
    let ended = Command::new("sh").args(["-c", "kill -s USR2 $$"]).status();
    let signal = std::os::unix::process::ExitStatusExt::signal(&ended.unwrap());
    assert_eq!(signal, Some(SignalKind::USER_DEFINED2.as_raw()));
}

#[test]
fn dropped_receivers_get_nothing_and_leave_no_descriptor() {
    let kind = own_kind(15);
    let test = "process::dropped_receivers_get_nothing_and_leave_no_descriptor";
    if case().is_none() {
        return rerun(test, "drop", &[]).assert_success();
    }
    let open = || std::fs::read_dir("/dev/fd").unwrap().count();
    drop(Signals::new([kind]).unwrap());
    let before = open();
    for round in 0..50 {
        let (kept, dropped) = (Signals::new([kind]).unwrap(), Signals::new([kind]).unwrap());
        drop(dropped);
        raise(kind);
        assert_eq!(kept.try_recv(), Some(kind), "{round}");
        std::thread::spawn(move || drop(kept)).join().unwrap();
        raise(kind);
    }
    assert_eq!(open(), before);
}

#[test]
fn a_handler_needs_no_room_on_the_stack_of_a_task() {
    let kind = own_kind(16);
    let _signals = Signals::new([kind]).unwrap();
    assert!(runs_on_the_alternate_stack(kind));
    // Another receiver does not change that.
    let _more = Signals::new([kind]).unwrap();
    assert!(runs_on_the_alternate_stack(kind));
}

#[test]
fn receivers_may_be_used_anywhere() {
    fn anywhere<T: Send + Sync>() {}
    anywhere::<Signals>();
}
