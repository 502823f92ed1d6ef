//! What a worker does with an array that the host has named and not sent yet. Numbers follow one another,
//! so it knows what they will be.

use reedbed_tests::by_hand::bytes::{Bytes, Reader};
use reedbed_tests::by_hand::frame::{self, Frame};
use reedbed_tests::by_hand::handle::{Handle, Terms, dtype};
use reedbed_tests::by_hand::worker::Worker;

use crate::announce;

/// A call, which one of the two dispatchers sent.
struct Request {
    /// tarpc's number.
    id: Option<u64>,
    call: u64,
}

impl Request {
    fn receive(worker: &mut Worker) -> Self {
        match worker.receive() {
            Some(Frame::Call { call, .. }) => Self { id: None, call },
            Some(Frame::Tarpc { message }) => {
                let mut reader = Reader::new(&message);
                assert_eq!(reader.u32(), 0, "a request");
                let (_deadline, _trace) = (reader.raw::<12>(), reader.raw::<28>());
                let (id, call) = (Some(reader.u64()), reader.u64());
                Self { id, call }
            }
            other => panic!("a call is expected, not {other:?}"),
        }
    }

    fn answer(&self, worker: &Worker, handles: &[Handle], body: &[u8]) {
        let reply = frame::returned(self.call, handles, body);
        match self.id {
            None => worker.send(&reply),
            Some(id) => {
                let response = Bytes::new().u64(id).u32(0).raw(&reply[4..]);
                worker.send(&frame::tarpc(&response.done()));
            }
        }
    }

    /// As `edges::ones` does, which may fail.
    fn answer_with(&self, worker: &Worker, array: Handle) {
        self.answer(worker, &[array], &Bytes::new().u32(0).u32(0).done());
    }
}

/// Is asked for an array, and is called while another one, which is given to it, is on its way: uses that,
/// and answers.
pub(crate) fn misbehave(how: &str, worker: &mut Worker) {
    let row = |terms| Handle::row(1, dtype::U8, 24).on(terms);
    let theirs = |terms| Handle {
        origin: 1,
        ..row(terms)
    };
    let _memory = (how == "given-again").then(|| {
        Request::receive(worker).answer(worker, &[], &[]);
        let (first, memory) = (Request::receive(worker), announce(worker, 1));
        first.answer_with(worker, row(Terms::Moved(1)));
        memory
    });
    let mut requests = [Request::receive(worker), Request::receive(worker)];
    requests.sort_by_key(|request| request.call);
    let [asked, called] = requests;
    match how {
        "returned" => asked.answer_with(worker, theirs(Terms::Returned(1))),
        "lent" => asked.answer_with(worker, theirs(Terms::ReadWrite)),
        "given-again" => asked.answer_with(worker, row(Terms::Moved(2))),
        "ended" => worker.send(&frame::ended(1)),
        "left" => {}
        other => panic!("{other} is no way to use what was not sent"),
    }
    called.answer(worker, &[], &[]);
    if how == "left" {
        let later = Request::receive(worker);
        later.answer(worker, &[], &[]);
    }
}
