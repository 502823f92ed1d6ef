use std::cell::Cell;

use super::*;
use crate::guarded::tests::{Alarm, Counter};
use crate::process::EndReason;

fn cx() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn module(name: &str) -> ModuleSchema {
    ModuleSchema {
        name: name.to_owned(),
        docs: String::new(),
        functions: Vec::new(),
    }
}

/// Asks for `arithmetic`; the question, if it is one, has this number.
fn ask(questions: &Questions, number: u64, deadline: Deadline) -> (Asker, Option<u64>) {
    let asked = questions.ask("arithmetic", deadline, || number);
    asked.expect("the worker lives")
}

fn n_waiting(questions: &Questions) -> usize {
    let table = questions.lock();
    let askers = table.asked.values().map(|asked| asked.lock().askers.len());
    askers.sum()
}

fn name(answer: Poll<Result<Description, Undescribed>>) -> String {
    match answer {
        Poll::Ready(Ok(Some(module))) => module.name.clone(),
        other => panic!("a description is expected, not {other:?}"),
    }
}

#[test]
fn ten_thousand_who_ask_in_vain_are_one_question_and_nobody_who_waits() {
    let questions = Questions::default();
    let (limit, now) = (Duration::from_millis(1), Instant::now());
    for n in 0..10_000 {
        let (asker, unsent) = ask(&questions, n, Some((now, limit)));
        assert_eq!(unsent, (n == 0).then_some(0), "the first one's is sent");
        let late = asker.poll(&cx());
        assert!(
            matches!(late, Poll::Ready(Err(Undescribed::Late { limit: told })) if told == limit)
        );
        // One that still has time, and is dropped.
        let (asker, _) = ask(
            &questions,
            n,
            Some((now + Duration::from_secs(3600), limit)),
        );
        assert!(asker.poll(&cx()).is_pending() && questions.are_awaited());
    }
    assert_eq!(questions.lock().asked.len(), 1);
    assert_eq!(n_waiting(&questions), 0);
    assert!(!questions.are_awaited());
    assert_eq!(questions.expire(now), None);

    // A late answer is for whoever asks afterwards.
    assert!(!questions.answer(7, None), "nobody has asked that");
    assert!(questions.answer(0, Some(module("arithmetic"))));
    assert!(!questions.answer(0, Some(module("other"))), "only once");
    let (asker, unsent) = ask(&questions, 1, Some((now, limit)));
    assert_eq!(unsent, None);
    assert_eq!(name(asker.poll(&cx())), "arithmetic");
}

#[test]
fn all_who_wait_are_told_whatever_comes_of_telling_one() {
    let questions = Questions::default();
    let (alarm, counter) = (Arc::new(Alarm), Arc::new(Counter::default()));
    let wakers = [Waker::from(alarm), Waker::from(Arc::clone(&counter))];
    let askers = wakers.each_ref().map(|waker| {
        let (asker, _) = ask(&questions, 3, None);
        for _ in 0..2 {
            assert!(asker.poll(&Context::from_waker(waker)).is_pending());
        }
        asker
    });
    assert_eq!(n_waiting(&questions), 2, "each of them once");
    assert!(questions.answer(3, Some(module("arithmetic"))));
    assert_eq!(counter.n_woken(), 1);
    for asker in &askers {
        assert_eq!(name(asker.poll(&cx())), "arithmetic");
    }
}

#[test]
fn who_is_late_is_woken_and_the_others_wait() {
    let questions = Questions::default();
    let (now, limit) = (Instant::now(), Duration::from_secs(60));
    let counters = [1, 2, 3].map(|n| {
        let (asker, _) = ask(&questions, 3, Some((now + n * limit, n * limit)));
        let counter = Arc::new(Counter::default());
        let waker = Waker::from(Arc::clone(&counter));
        assert!(asker.poll(&Context::from_waker(&waker)).is_pending());
        (asker, counter)
    });
    assert_eq!(questions.expire(now), Some(now + limit));
    assert_eq!(questions.expire(now + 2 * limit), Some(now + 3 * limit));
    let woken = counters.each_ref().map(|(_, counter)| counter.n_woken());
    assert_eq!(woken, [1, 1, 0]);
}

#[test]
fn what_could_not_be_answered_is_asked_again() {
    let (questions, reason) = (Questions::default(), "full".to_owned());
    let (first, _) = ask(&questions, 1, None);
    let full = Failure::NotReturned { reason };
    assert!(!questions.refuse(2, &full) && questions.refuse(1, &full));
    assert!(!questions.refuse(1, &full) && !questions.answer(1, None));
    let (second, unsent) = ask(&questions, 2, None);
    assert_eq!(unsent, Some(2));
    let refused = first.poll(&cx());
    assert!(
        matches!(&refused, Poll::Ready(Err(Undescribed::Refused(refusal))) if refusal.0 == full),
        "{refused:?}"
    );
    assert!(questions.answer(2, Some(module("arithmetic"))));
    assert!(!questions.refuse(2, &full), "it was answered");
    assert_eq!(name(second.poll(&cx())), "arithmetic");
}

#[test]
fn nobody_asks_a_worker_that_has_ended() {
    let (questions, has_asked) = (Questions::default(), Cell::new(false));
    let (asker, _) = ask(&questions, 1, None);
    questions.fail_all(&WorkerEnd::new(EndReason::Stopped, Vec::new()));
    assert!(matches!(
        asker.poll(&cx()),
        Poll::Ready(Err(Undescribed::Gone(_)))
    ));
    let asked = questions.ask("arithmetic", None, || {
        has_asked.set(true);
        2
    });
    assert!(asked.is_err() && !has_asked.get());
}
