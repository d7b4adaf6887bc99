//! What was made once and is asked for again: values by the identity of what they are made of, and what came of an
//! expression by the values that it read. It changes no answer, only how long it takes.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use cel::common::value::Val;

use crate::model::{Facts, Inventory, Plan};

/// A value of a root name. Two of the same id are the same; no id is given twice.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) id: u64,
    pub(super) value: Box<dyn Val>,
}

impl Root {
    pub(super) fn new(value: Box<dyn Val>) -> Arc<Self> {
        thread_local!(static LAST: Cell<u64> = const { Cell::new(0) });
        let id = LAST.get() + 1;
        LAST.set(id);
        Arc::new(Self { id, value })
    }
}

/// What a value is made of.
#[derive(Clone, Copy)]
pub(super) enum Part<'p> {
    Inventory(&'p Arc<Inventory>),
    Plan(&'p Arc<Plan>),
    Facts(Option<&'p Arc<Facts>>),
    Deeds(&'p Arc<()>),
    Number(usize),
}

impl Part<'_> {
    /// What it is told by: the address of what never changes while anything refers to it.
    fn told_by(self) -> usize {
        fn address<T>(shared: &Arc<T>) -> usize {
            Arc::as_ptr(shared).cast::<()>() as usize
        }
        match self {
            Self::Inventory(inventory) => address(inventory),
            Self::Plan(plan) => address(plan),
            Self::Facts(facts) => facts.map_or(0, address),
            Self::Deeds(deeds) => address(deeds),
            Self::Number(number) => number,
        }
    }

    /// A reference that keeps the address from being given to another, and the value from being changed in place.
    fn guard(self) -> Option<Weak<dyn Any>> {
        fn weak<T: Any>(shared: &Arc<T>) -> Weak<dyn Any> {
            let weak: Weak<T> = Arc::downgrade(shared);
            weak
        }
        match self {
            Self::Inventory(inventory) => Some(weak(inventory)),
            Self::Plan(plan) => Some(weak(plan)),
            Self::Facts(facts) => facts.map(weak),
            Self::Deeds(deeds) => Some(weak(deeds)),
            Self::Number(_) => None,
        }
    }
}

/// Values that are made once for all who ask for what is made of the same parts.
pub(super) struct Values {
    known: RefCell<Generations<Vec<usize>, Rc<Made>>>,
    /// Who asks for one mostly asks for the same again, which is told without a look at the others.
    last: RefCell<Option<Rc<Made>>>,
}

struct Made {
    told_by: Vec<usize>,
    guards: Vec<Weak<dyn Any>>,
    root: Arc<Root>,
}

impl Values {
    /// Keeps about so many that are still asked for.
    pub(super) fn keeping(count: usize) -> Self {
        Self { known: RefCell::new(Generations::keeping(count)), last: RefCell::default() }
    }

    pub(super) fn get<'p>(
        &self,
        parts: impl Iterator<Item = Part<'p>> + Clone,
        make: impl FnOnce() -> Arc<Root>,
    ) -> Arc<Root> {
        if let Some(last) = &*self.last.borrow()
            && parts.clone().map(Part::told_by).eq(last.told_by.iter().copied())
        {
            return last.root.clone();
        }
        let told_by: Vec<usize> = parts.clone().map(Part::told_by).collect();
        let known = self.known.borrow_mut().get(&told_by).cloned();
        let known = known.unwrap_or_else(|| {
            let guards = parts.filter_map(Part::guard).collect();
            let known = Rc::new(Made { told_by: told_by.clone(), guards, root: make() });
            let gone = |known: &Rc<Made>| known.guards.iter().any(|guard| guard.strong_count() == 0);
            self.known.borrow_mut().insert(told_by, known.clone(), gone);
            known
        });
        let root = known.root.clone();
        *self.last.borrow_mut() = Some(known);
        root
    }
}

/// A map that grows with what is of use, and forgets what was not asked for in a while once there is much of that: when the
/// younger half is full, the older goes.
pub(super) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    full: usize,
    most: usize,
}

impl<K: Hash + Eq, V> Generations<K, V> {
    pub(super) fn keeping(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), full: most.min(64), most }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.young.insert(key, value);
        }
        self.young.get(key)
    }

    /// `gone` tells what nobody can ask for any more, which goes first.
    pub(super) fn insert(&mut self, key: K, value: V, gone: impl Fn(&V) -> bool) {
        if self.young.len() >= self.full {
            self.young.retain(|_, value| !gone(value));
            self.old.retain(|_, value| !gone(value));
            if self.young.len() > self.full / 2 {
                if self.full >= self.most {
                    self.old = std::mem::take(&mut self.young);
                }
                self.full = (self.full * 2).min(self.most);
            }
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let mut known = Generations::keeping(2);
        for key in 0..100 {
            known.insert(key, key, |_| false);
            assert_eq!(known.get(&0), Some(&0), "asked for after {key}");
        }
        assert!(known.get(&50).is_none());
        assert!(known.young.len() + known.old.len() <= 6);
    }

    #[test]
    fn an_address_is_not_given_to_another_while_it_is_known() {
        let values = Values::keeping(64);
        let ids: std::collections::BTreeSet<u64> = (0..1000)
            .map(|_| {
                let facts = Arc::new(Facts::default());
                values
                    .get(std::iter::once(Part::Facts(Some(&facts))), || {
                        Root::new(super::super::value::list(Vec::new()))
                    })
                    .id
            })
            .collect();
        assert_eq!(ids.len(), 1000, "each of these facts was another");
    }
}
