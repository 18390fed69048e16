//! Many requests at once, with results in the order of the questions.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::num::NonZero;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;

/// Finished results that may wait for a slow one before them.
const AHEAD: usize = 32;

struct State<R> {
    next: usize,
    emitted: usize,
    done: BTreeMap<usize, R>,
    stopped: bool,
}

/// How many threads can run at the same time.
pub(crate) fn cores() -> usize {
    // Asking takes several system calls.
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get))
}

/// Calls `work` on each item, up to `workers` at a time, and `each` on the results
/// one by one in the order of the items. An error of `each` stops the rest.
///
/// # Errors
/// The first error of `each`.
pub(crate) fn for_each_in_order<T: Sync, R: Send, E>(
    workers: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut each: impl FnMut(&T, R) -> Result<(), E>,
) -> Result<(), E> {
    let state = Mutex::new(State {
        next: 0,
        emitted: 0,
        done: BTreeMap::new(),
        stopped: false,
    });
    let changed = Condvar::new();
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);

    let go_on = || {
        loop {
            let index = {
                let mut state = changed
                    .wait_while(lock(), |s| !s.stopped && s.next >= s.emitted + AHEAD)
                    .unwrap_or_else(PoisonError::into_inner);
                if state.stopped || state.next >= items.len() {
                    return;
                }
                state.next += 1;
                state.next - 1
            };
            let result = work(&items[index]);
            lock().done.insert(index, result);
            changed.notify_all();
        }
    };
    thread::scope(|scope| {
        let started = (0..workers.clamp(1, items.len().max(1)))
            .take_while(|_| thread::Builder::new().spawn_scoped(scope, go_on).is_ok())
            .count();
        if started == 0 {
            // The system gives no threads: one after the other will do.
            return items.iter().try_for_each(|item| each(item, work(item)));
        }
        for (index, item) in items.iter().enumerate() {
            let result = {
                let mut state = changed
                    .wait_while(lock(), |s| !s.done.contains_key(&index))
                    .unwrap_or_else(PoisonError::into_inner);
                state.emitted = index + 1;
                state.done.remove(&index)
            };
            changed.notify_all();
            let outcome = result.map_or(Ok(()), |result| each(item, result));
            if let Err(error) = outcome {
                lock().stopped = true;
                changed.notify_all();
                return Err(error);
            }
        }
        Ok(())
    })
}

/// What both come to, the first in a thread of its own if there is one.
pub(crate) fn both<A: Send, B>(first: impl Fn() -> A + Sync, second: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, &first);
        let b = second();
        let a = match other.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(a)) => a,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => first(),
        };
        (a, b)
    })
}

/// Whether the system gives this process another thread, as far as one can tell.
pub(crate) fn has_threads() -> bool {
    static GIVEN: OnceLock<bool> = OnceLock::new();
    *GIVEN.get_or_init(|| {
        let probe = thread::Builder::new().spawn(|| {});
        probe.is_ok_and(|thread| thread.join().is_ok())
    })
}

/// Calls `work` on each item, as many at a time as there are cores, and `each` on
/// the results in the order of the items. An error of `each` stops the rest.
///
/// # Errors
/// The first error of `each`.
pub(crate) fn map_in_order<T: Sync, R: Send, E>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut each: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    // Threads for so little would take longer than the work.
    match items {
        [] => return Ok(()),
        [only] => return each(work(only)),
        _ => {}
    }
    for_each_in_order(cores(), items, work, |_, result| each(result))
}

/// What `work` makes of each item, in their order.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut results = Vec::with_capacity(items.len());
    let collected: Result<(), Infallible> = map_in_order(items, work, |result| {
        results.push(result);
        Ok(())
    });
    match collected {
        Ok(()) => results,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..200).collect();
        let mut seen = Vec::new();
        let work = |n: &usize| {
            thread::sleep(Duration::from_micros((200 - *n as u64) * 5));
            n * 2
        };
        let done: Result<(), ()> = for_each_in_order(8, &items, work, |n, double| {
            assert_eq!(double, n * 2);
            seen.push(*n);
            Ok(())
        });
        assert!(done.is_ok());
        assert_eq!(seen, items);
    }

    #[test]
    fn an_error_stops_the_rest() {
        let items: Vec<usize> = (0..10_000).collect();
        let started = AtomicUsize::new(0);
        let work = |n: &usize| {
            started.fetch_add(1, Ordering::Relaxed);
            *n
        };
        let result =
            for_each_in_order(8, &items, work, |_, n| if n == 3 { Err(n) } else { Ok(()) });
        assert_eq!(result, Err(3));
        assert!(started.load(Ordering::Relaxed) < 100);
    }
}
