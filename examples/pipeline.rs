//! A tailor's shop: stages with a queue before each, and none that runs ahead.
//!
//! ```python
//! import asyncio
//!
//! async def take_orders(orders):
//!     for n in range(1, 10):
//!         await orders.put(n)
//!     orders.shutdown()
//!
//! async def cut_cloth(orders, cut):
//!     try:
//!         while True:
//!             n = await orders.get()
//!             await asyncio.sleep(1)
//!             await cut.put(n)
//!     except asyncio.QueueShutDown:
//!         cut.shutdown()
//!
//! async def sew(name, seconds, cut, coats):
//!     try:
//!         while True:
//!             n = await cut.get()
//!             await asyncio.sleep(seconds)
//!             await coats.put((n, name))
//!     except asyncio.QueueShutDown:
//!         pass
//!
//! async def main():
//!     orders, cut = asyncio.Queue(2), asyncio.Queue(2)
//!     coats = asyncio.Queue(1)
//!     async with asyncio.TaskGroup() as group:
//!         group.create_task(take_orders(orders))
//!         group.create_task(cut_cloth(orders, cut))
//!         tailors = [
//!             group.create_task(sew(name, seconds, cut, coats))
//!             for name, seconds in (("Ada", 3.4), ("Ben", 4.8), ("Eve", 6.1))
//!         ]
//!         # Somebody has to shut `coats` down when the last tailor has left.
//!         group.create_task(shut_down_after(tailors, coats))
//!         # ... and to take the coats until then.
//!
//! asyncio.run(main())
//! ```
//!
//! What to notice:
//!
//! - Orders could come all at once, and cutting takes a second. Sewing takes several,
//!   with three tailors. So both queues fill up, and each stage goes at the pace of the
//!   slowest: never more than two orders and two cut cloths lie about.
//! - The queues are borrowed by the tasks of a scope. A stage is a loop over its queue;
//!   it ends when the stage before has shut that down and it is empty.
//! - Fan-out: three tailors loop over one queue, and each cloth goes to one of them. The
//!   quickest makes the most coats; nobody has planned that.
//! - Fan-in: each has a sender of one channel. That ends by itself when the last tailor
//!   has gone home.

pub(crate) mod support;

use std::time::Duration;

use greenroom::sync::{Queue, Sender, bounded};
use greenroom::{scope, sleep};
use support::say;

fn main() {
    support::runtime().run(program);
}

/// Nine coats: sixteen seconds.
pub(crate) fn program() {
    let shop = Shop {
        orders: Queue::fifo(2),
        cut: Queue::fifo(2),
    };
    let (counter, coats) = bounded(1);
    scope(|s| {
        s.spawn(|| shop.take_orders());
        s.spawn(|| shop.cut_cloth());
        for (name, millis) in [("Ada", 3400), ("Ben", 4800), ("Eve", 6100)] {
            let (shop, counter) = (&shop, counter.clone());
            s.spawn(move || shop.sew(name, Duration::from_millis(millis), &counter));
        }
        // The last sender is to be a tailor's.
        drop(counter);
        for (n, name) in &coats {
            shop.tell(&format!("coat {n} is ready, made by {name}"));
        }
        say("closed");
    });
}

/// What lies between the stages.
struct Shop {
    orders: Queue<u32>,
    cut: Queue<u32>,
}

impl Shop {
    fn take_orders(&self) {
        for n in 1..=9 {
            self.orders.push(n).expect("the shop is open");
            self.tell(&format!("order {n} taken"));
        }
        self.orders.shutdown();
    }

    fn cut_cloth(&self) {
        for n in &self.orders {
            sleep(Duration::from_secs(1));
            self.cut.push(n).expect("the tailors wait for it");
            self.tell(&format!("order {n} cut"));
        }
        self.cut.shutdown();
    }

    fn sew(&self, name: &'static str, time: Duration, counter: &Sender<(u32, &'static str)>) {
        for n in &self.cut {
            sleep(time);
            counter.send((n, name)).expect("somebody is at the counter");
        }
    }

    /// What happened, and how much lies before each stage now.
    fn tell(&self, what: &str) {
        let (orders, cut) = (self.orders.len(), self.cut.len());
        say(format!("{what} (to cut: {orders}, to sew: {cut})"));
    }
}
