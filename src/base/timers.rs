//! Named deadlines.

use std::collections::BTreeMap;

use super::Moment;

/// Deadlines by name. Setting a name again moves its deadline, so there is nothing to cancel; the
/// earliest is the next wake-up and can say what it is for.
#[derive(Clone, Debug)]
pub struct Timers<T>(BTreeMap<T, Moment>);

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord + Copy> Timers<T> {
    /// No deadline at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or moves the deadline of `name`.
    pub fn set(&mut self, name: T, at: Moment) {
        self.0.insert(name, at);
    }

    /// Removes the deadline of `name`, if it has one.
    pub fn stop(&mut self, name: T) {
        self.0.remove(&name);
    }

    /// The deadline of `name`.
    pub fn get(&self, name: T) -> Option<Moment> {
        self.0.get(&name).copied()
    }

    /// The earliest deadline and its name; of equal ones the smaller name.
    pub fn next(&self) -> Option<(Moment, T)> {
        self.0.iter().map(|(&name, &at)| (at, name)).min()
    }

    /// Takes one deadline that has passed, the earliest first.
    pub fn expire(&mut self, now: Moment) -> Option<T> {
        let (at, name) = self.next()?;
        (at <= now).then(|| {
            self.0.remove(&name);
            name
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_deadline_expires_first() {
        let at = |s| Moment::START + Duration::from_secs(s);
        let mut timers = Timers::new();
        timers.set("choke", at(10));
        timers.set("announce", at(5));
        timers.set("choke", at(3));
        assert_eq!(timers.next(), Some((at(3), "choke")));
        assert_eq!(timers.expire(at(2)), None);
        assert_eq!(timers.expire(at(9)), Some("choke"));
        assert_eq!(timers.expire(at(9)), Some("announce"));
        assert_eq!(timers.expire(at(9)), None);
    }
}
