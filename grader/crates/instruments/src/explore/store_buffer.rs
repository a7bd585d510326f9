//! A store buffer as x86 processors have one: stores that their program sees and the others not.

use nix::sys::signal::Signal;

use super::instruction::{kind, store_size};
use super::pending::Pending;
use super::space::Space;
use super::step::Change;
use super::story::Kind;
use super::tracee::Tracee;

/// The stores of one program that the others do not see yet.
pub(super) struct StoreBuffer {
    owner: usize,
    loads_left: u32,
    stores: Vec<Store>,
}

struct Store {
    address: u64,
    size: usize,
    /// What the others see.
    old: u64,
    new: u64,
}

/// What an access of the owner has led to.
pub(super) enum Progress {
    /// It may go on.
    Goes,
    /// Enough loads have overtaken the stores: the others should run.
    Overtaken,
    /// The access was one that makes all stores visible, and itself with them.
    Over,
}

impl StoreBuffer {
    pub(super) fn new(owner: usize, loads: u32) -> Self {
        Self {
            owner,
            loads_left: loads,
            stores: Vec::new(),
        }
    }

    pub(super) fn owner(&self) -> usize {
        self.owner
    }

    pub(super) fn len(&self) -> usize {
        self.stores.len()
    }

    /// Lets the owner make an access, and says how its operand has changed for itself.
    pub(super) fn access(
        &mut self,
        owner: &mut Tracee,
        spaces: &mut [Space],
        pending: &Pending,
    ) -> nix::Result<(Progress, Option<Change>)> {
        let code = owner.code()?;
        let is_plain = matches!(kind(&code), Kind::Load | Kind::Store);
        let space = &mut spaces[owner.space];
        space.open_all(owner)?;
        // It sees its own stores.
        for store in &self.stores {
            owner.poke(store.address, store.new, store.size)?;
        }
        let old = owner.peek(pending.address)?;
        let before = pending.value(owner);
        if !owner.step()?
            && let (signal, _) = owner.fault()?
            && signal != Signal::SIGSEGV
        {
            owner.signals.push(signal); // its own
        }
        let change = pending.change(owner, before);
        if !is_plain {
            space.close_all(owner)?;
            return Ok((Progress::Over, change));
        }
        if let Some(size) = store_size(&code) {
            let (address, new) = (pending.address, owner.peek(pending.address)?);
            self.stores.push(Store {
                address,
                size,
                old,
                new,
            });
        }
        for store in self.stores.iter().rev() {
            owner.poke(store.address, store.old, store.size)?;
        }
        space.close_all(owner)?;
        let is_own = self
            .stores
            .iter()
            .any(|store| store.address == pending.address);
        if pending.access.kind == Kind::Load && !self.stores.is_empty() && !is_own {
            self.loads_left = self.loads_left.saturating_sub(1);
            if self.loads_left == 0 {
                return Ok((Progress::Overtaken, change));
            }
        }
        Ok((Progress::Goes, change))
    }

    /// Makes the stores visible to everybody, in their order.
    pub(super) fn drain(self, owner: &mut Tracee, spaces: &mut [Space]) -> nix::Result<()> {
        if self.stores.is_empty() {
            return Ok(());
        }
        let space = &mut spaces[owner.space];
        space.open_all(owner)?;
        for store in &self.stores {
            owner.poke(store.address, store.new, store.size)?;
        }
        space.close_all(owner)
    }
}
