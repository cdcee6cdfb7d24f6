//! What the documentation says can be waited for can be: it compiles.

use std::cmp::Reverse;
use std::rc::Rc;

use greenroom::sync::{
    Barrier, BroadcastReceiver, Event, OneshotReceiver, Queue, Receiver, WatchReceiver, remote,
};
use greenroom::{
    Awaitable, CancelOnDrop, Interval, JoinHandle, RemoteCancelOnDrop, RemoteJoinHandle,
    ScopedJoinHandle, Selectable, SupervisedJoinHandle, Timer,
};

fn awaitable<T: Awaitable>() {}
fn selectable<T: Selectable>() {}

#[test]
fn all_that_is_awaitable() {
    awaitable::<JoinHandle<u8>>();
    awaitable::<CancelOnDrop<u8>>();
    awaitable::<ScopedJoinHandle<'_, u8>>();
    awaitable::<SupervisedJoinHandle<'_, u8>>();
    awaitable::<RemoteJoinHandle<u8>>();
    awaitable::<&mut RemoteJoinHandle<u8>>();
    awaitable::<RemoteCancelOnDrop<u8>>();
    awaitable::<&mut RemoteCancelOnDrop<u8>>();
    awaitable::<Timer>();
    awaitable::<&mut Interval>();
    awaitable::<&Event>();
    awaitable::<&Barrier>();
    awaitable::<&Receiver<u8>>();
    awaitable::<&remote::Receiver<u8>>();
    awaitable::<&Queue<u8>>();
    awaitable::<&mut BroadcastReceiver<u8>>();
    awaitable::<&mut WatchReceiver<u8>>();
    awaitable::<OneshotReceiver<u8>>();
    awaitable::<&mut OneshotReceiver<u8>>();
    awaitable::<remote::OneshotReceiver<u8>>();
    awaitable::<&mut remote::OneshotReceiver<u8>>();
    awaitable::<(Timer,)>();
    awaitable::<[Timer; 2]>();
    awaitable::<Vec<(Timer, &Event)>>();
}

#[test]
fn all_that_is_selectable() {
    selectable::<Timer>();
    selectable::<&Timer>();
    selectable::<&Event>();
    selectable::<&Rc<Event>>();
    selectable::<&Receiver<u8>>();
    selectable::<&Rc<Receiver<u8>>>();
    selectable::<&remote::Receiver<u8>>();
    selectable::<&Queue<Reverse<u8>>>();
    selectable::<&Rc<Queue<u8>>>();
    selectable::<&mut BroadcastReceiver<u8>>();
    selectable::<&mut WatchReceiver<u8>>();
    selectable::<&mut OneshotReceiver<u8>>();
    selectable::<&mut remote::OneshotReceiver<u8>>();
    selectable::<&mut JoinHandle<u8>>();
    selectable::<&mut CancelOnDrop<u8>>();
    selectable::<&mut ScopedJoinHandle<'_, u8>>();
    selectable::<&mut SupervisedJoinHandle<'_, u8>>();
    selectable::<&mut RemoteJoinHandle<u8>>();
    selectable::<&mut RemoteCancelOnDrop<u8>>();
}
