//! Who is connected now, so that those who only wait can be sent home.
//!
//! Must never: keep a connection open that has ended.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use greenroom::net::{Shutdown, TcpStream};

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    here: RefCell<HashMap<u64, Rc<TcpStream>>>,
    count: Cell<u64>,
}

/// One connection. It is forgotten when this is dropped.
#[derive(Debug)]
pub(crate) struct Guest<'a> {
    guests: &'a Guests,
    number: u64,
    stream: Rc<TcpStream>,
}

impl Guests {
    pub(crate) fn welcome(&self, stream: TcpStream) -> Guest<'_> {
        let number = self.count.replace(self.count.get() + 1);
        let stream = Rc::new(stream);
        let mut here = self.here.borrow_mut();
        here.insert(number, Rc::clone(&stream));
        Guest {
            guests: self,
            number,
            stream,
        }
    }

    /// Nobody is listened to any more. Who waits for a request finds the connection at its end;
    /// who has said one is answered.
    pub(crate) fn see_off(&self) {
        for stream in self.here.borrow().values() {
            // If that fails the connection is over, which is as well.
            let _over = stream.shutdown(Shutdown::Read);
        }
    }
}

impl Guest<'_> {
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.guests.here.borrow_mut().remove(&self.number);
    }
}
