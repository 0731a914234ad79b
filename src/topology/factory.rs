//! How instances of components are made: by a closure of the author's, or by registered name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use smol_str::SmolStr;

use super::CustomGrouping;
use crate::bolt::{BasicBolt, Bolt};
use crate::component::{ComponentError, Declarer};
use crate::spout::Spout;
use crate::tuple::codec::ObjectReader;

/// Makes a spout's instances, one per task.
pub(crate) type SpoutFactory = Arc<dyn Fn() -> Box<dyn Spout> + Send + Sync>;
/// Makes a bolt's instances, one per task.
pub(crate) type BoltFactory = Arc<dyn Fn() -> BoltInstance + Send + Sync>;

/// An instance of a bolt of either kind.
pub(crate) enum BoltInstance {
    Bolt(Box<dyn Bolt>),
    Basic(Box<dyn BasicBolt>),
}

impl BoltInstance {
    pub fn declare(&self, declare: &mut Declarer) {
        match self {
            Self::Bolt(bolt) => bolt.declare(declare),
            Self::Basic(bolt) => bolt.declare(declare),
        }
    }
}

/// A component by its registered name and its constructor's arguments: what can travel to another
/// process.
///
/// Made by [`Named::new`], resolved against a [`Register`] when the topology is built.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub(crate) name: String,
    pub(crate) args: Json,
}

impl Named {
    /// The component registered as `name`, with no arguments.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), args: Json::Null }
    }

    /// The arguments that its constructor is given: anything that serde writes as JSON.
    ///
    /// # Panics
    /// If it cannot be JSON, as a map whose keys are neither texts nor numbers.
    #[must_use]
    pub fn args(mut self, args: impl Serialize) -> Self {
        let json = serde_json::to_value(args);
        self.args = json.unwrap_or_else(|error| {
            panic!("the arguments of {} cannot be written as JSON: {error}", self.name)
        });
        self
    }
}

/// What `TopologyBuilder::spout` takes: a closure that makes a [`Spout`], or a [`Named`] one.
///
/// `Kind` only tells the implementations apart and is always inferred.
pub trait IntoSpout<Kind> {
    /// The factory, or the name to look up.
    #[doc(hidden)]
    fn into_component(self) -> AnyComponent;
}

/// What `TopologyBuilder::bolt` takes: a closure that makes a [`Bolt`] or a [`BasicBolt`], or a
/// [`Named`] one.
///
/// `Kind` only tells the implementations apart and is always inferred.
pub trait IntoBolt<Kind> {
    /// The factory, or the name to look up.
    #[doc(hidden)]
    fn into_component(self) -> AnyComponent;
}

/// A component before the topology is built.
#[doc(hidden)]
#[derive(Clone)]
pub struct AnyComponent(pub(crate) Maker);

#[derive(Clone)]
pub(crate) enum Maker {
    Spout(SpoutFactory),
    Bolt(BoltFactory),
    Named(Named),
    /// As the maker says here, and by name elsewhere.
    Portable(Box<Maker>, Named),
}

impl AnyComponent {
    /// The same component, which another process makes by its registered name.
    pub(crate) fn with_name(self, named: Named) -> Self {
        Self(Maker::Portable(Box::new(self.0), named))
    }
}

/// What `BoltDeclarer::custom` takes: a closure that makes a [`CustomGrouping`], or a [`Named`] one.
///
/// `Kind` only tells the implementations apart and is always inferred.
pub trait IntoGrouping<Kind> {
    /// The factory, or the name to look up.
    #[doc(hidden)]
    fn into_grouping(self) -> AnyGrouping;
}

/// A grouping of the author's own before the topology is built.
#[doc(hidden)]
#[derive(Clone)]
pub struct AnyGrouping {
    /// Makes one per emitting executor; none as long as only its name is known.
    pub(crate) make: Option<GroupingFactory>,
    pub(crate) named: Option<Named>,
}

pub(crate) type GroupingFactory = Arc<dyn Fn() -> Box<dyn CustomGrouping> + Send + Sync>;

impl<F, G> IntoGrouping<OfGrouping> for F
where
    F: Fn() -> G + Send + Sync + 'static,
    G: CustomGrouping + 'static,
{
    fn into_grouping(self) -> AnyGrouping {
        AnyGrouping { make: Some(Arc::new(move || Box::new(self()))), named: None }
    }
}

impl IntoGrouping<OfName> for Named {
    fn into_grouping(self) -> AnyGrouping {
        AnyGrouping { make: None, named: Some(self) }
    }
}

#[doc(hidden)]
pub struct OfGrouping;
#[doc(hidden)]
pub struct OfSpout;
#[doc(hidden)]
pub struct OfBolt;
#[doc(hidden)]
pub struct OfBasicBolt;
#[doc(hidden)]
pub struct OfName;

fn spout<S: Spout + 'static>(make: impl Fn() -> S + Send + Sync + 'static) -> AnyComponent {
    AnyComponent(Maker::Spout(Arc::new(move || Box::new(make()))))
}

fn bolt<B: Bolt + 'static>(make: impl Fn() -> B + Send + Sync + 'static) -> AnyComponent {
    AnyComponent(Maker::Bolt(Arc::new(move || BoltInstance::Bolt(Box::new(make())))))
}

fn basic_bolt<B: BasicBolt + 'static>(
    make: impl Fn() -> B + Send + Sync + 'static,
) -> AnyComponent {
    AnyComponent(Maker::Bolt(Arc::new(move || BoltInstance::Basic(Box::new(make())))))
}

impl<F, S> IntoSpout<OfSpout> for F
where
    F: Fn() -> S + Send + Sync + 'static,
    S: Spout + 'static,
{
    fn into_component(self) -> AnyComponent {
        spout(self)
    }
}

impl IntoSpout<OfName> for Named {
    fn into_component(self) -> AnyComponent {
        AnyComponent(Maker::Named(self))
    }
}

impl<F, B> IntoBolt<OfBolt> for F
where
    F: Fn() -> B + Send + Sync + 'static,
    B: Bolt + 'static,
{
    fn into_component(self) -> AnyComponent {
        bolt(self)
    }
}

impl<F, B> IntoBolt<OfBasicBolt> for F
where
    F: Fn() -> B + Send + Sync + 'static,
    B: BasicBolt + 'static,
{
    fn into_component(self) -> AnyComponent {
        basic_bolt(self)
    }
}

impl IntoBolt<OfName> for Named {
    fn into_component(self) -> AnyComponent {
        AnyComponent(Maker::Named(self))
    }
}

/// What [`Register::add`] takes: a constructor `Fn(Args) -> C` of a spout or bolt `C`.
///
/// `Kind` only tells the implementations apart and is always inferred.
pub trait FromArgs<Args, Kind>: Send + Sync + 'static {
    /// A factory of instances made with these arguments.
    #[doc(hidden)]
    fn component(self: Arc<Self>, args: Args) -> AnyComponent;
}

macro_rules! from_args {
    ($kind:ident, $trait:ident, $make:ident) => {
        impl<F, Args, C> FromArgs<Args, $kind> for F
        where
            F: Fn(Args) -> C + Send + Sync + 'static,
            Args: Clone + Send + Sync + 'static,
            C: $trait + 'static,
        {
            fn component(self: Arc<Self>, args: Args) -> AnyComponent {
                $make(move || self(args.clone()))
            }
        }
    };
}

from_args!(OfSpout, Spout, spout);
from_args!(OfBolt, Bolt, bolt);
from_args!(OfBasicBolt, BasicBolt, basic_bolt);

/// What [`Register::add_grouping`] takes: a constructor `Fn(Args) -> G` of a [`CustomGrouping`].
pub trait GroupingFromArgs<Args>: Send + Sync + 'static {
    /// A factory of groupings made with these arguments.
    #[doc(hidden)]
    fn grouping(self: Arc<Self>, args: Args) -> AnyGrouping;
}

impl<F, Args, G> GroupingFromArgs<Args> for F
where
    F: Fn(Args) -> G + Send + Sync + 'static,
    Args: Clone + Send + Sync + 'static,
    G: CustomGrouping + 'static,
{
    fn grouping(self: Arc<Self>, args: Args) -> AnyGrouping {
        (move || self(args.clone())).into_grouping()
    }
}

type Resolver<T> = Arc<dyn Fn(&Json) -> Result<T, ComponentError> + Send + Sync>;

/// Constructors by name, of components and of the author's own groupings, so that they can be named
/// across processes; and what reads their shared objects there.
#[derive(Clone, Default)]
pub struct Register {
    name_to_resolver: BTreeMap<String, Resolver<AnyComponent>>,
    name_to_grouping: BTreeMap<String, Resolver<AnyGrouping>>,
    pub(super) object_readers: Vec<(SmolStr, ObjectReader)>,
}

impl Register {
    /// An empty register.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a constructor under `name`; a second one of the same name replaces the first.
    ///
    /// The constructor's argument is any type that serde reads from the JSON arguments; `()` reads
    /// none.
    pub fn add<Args, Kind, F>(&mut self, name: impl Into<String>, constructor: F) -> &mut Self
    where
        F: FromArgs<Args, Kind>,
        Args: DeserializeOwned + 'static,
    {
        let constructor = Arc::new(constructor);
        let resolver = move |args: &Json| {
            let args = serde_json::from_value(args.clone())?;
            Ok(constructor.clone().component(args))
        };
        self.name_to_resolver.insert(name.into(), Arc::new(resolver));
        self
    }

    /// Registers a constructor of groupings under `name`, as [`add`](Self::add) does one of
    /// components.
    pub fn add_grouping<Args, F>(&mut self, name: impl Into<String>, constructor: F) -> &mut Self
    where
        F: GroupingFromArgs<Args>,
        Args: DeserializeOwned + 'static,
    {
        let constructor = Arc::new(constructor);
        let resolver = move |args: &Json| {
            let args = serde_json::from_value(args.clone())?;
            Ok(constructor.clone().grouping(args))
        };
        self.name_to_grouping.insert(name.into(), Arc::new(resolver));
        self
    }

    /// Has shared objects of a type be read by `reader` in every topology built with this register;
    /// see [`TopologyBuilder::object_reader`](super::TopologyBuilder::object_reader).
    pub fn object_reader(
        &mut self,
        type_name: impl Into<SmolStr>,
        reader: ObjectReader,
    ) -> &mut Self {
        self.object_readers.push((type_name.into(), reader));
        self
    }

    /// Registers everything that `other` knows; what both know is `other`'s from then on.
    pub fn extend(&mut self, other: &Self) -> &mut Self {
        let resolvers = other.name_to_resolver.iter();
        self.name_to_resolver.extend(resolvers.map(|(name, one)| (name.clone(), one.clone())));
        let groupings = other.name_to_grouping.iter();
        self.name_to_grouping.extend(groupings.map(|(name, one)| (name.clone(), one.clone())));
        self.object_readers.extend(other.object_readers.iter().cloned());
        self
    }

    /// The registered names of components, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.name_to_resolver.keys().map(String::as_str)
    }

    /// The registered names of groupings, sorted.
    pub(crate) fn grouping_names(&self) -> impl Iterator<Item = &str> {
        self.name_to_grouping.keys().map(String::as_str)
    }

    /// The grouping of that name with these arguments; none if the name is not registered.
    pub(crate) fn resolve_grouping(
        &self,
        named: &Named,
    ) -> Option<Result<AnyGrouping, ComponentError>> {
        self.name_to_grouping.get(&named.name).map(|resolver| resolver(&named.args))
    }

    /// The component of that name with these arguments; none if the name is not registered.
    pub(crate) fn resolve(&self, named: &Named) -> Option<Result<AnyComponent, ComponentError>> {
        self.name_to_resolver.get(&named.name).map(|resolver| resolver(&named.args))
    }
}

impl fmt::Debug for Register {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.names()).finish()
    }
}
