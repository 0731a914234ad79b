//! Values from several layers, each with the place where it was set.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::{ConfError, ConfWarning};
use super::key::Scope;
use super::reader::{Reader, check};
use super::{keys, nearest, yaml};

/// Name of Storm's file in a folder of configuration.
const STORM_YAML: &str = "storm.yaml";

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the table of keys.
    Default,
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u32,
    },
    /// On the command line, by `-c`.
    CommandLine,
    /// In the topology's own conf.
    Topology,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Default => f.write_str("default"),
            Place::File { path, line } => write!(f, "{}:{line}", path.display()),
            Place::CommandLine => f.write_str("-c"),
            Place::Topology => f.write_str("topology"),
        }
    }
}

/// A value and where it was set.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The value as it was written.
    pub value: Value,
    /// Where it was written.
    pub place: Place,
}

/// Why a layer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than any file of keys.
    #[error("{path} has more than {limit_bytes} bytes, which no file of keys needs", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit_bytes: u64,
    },
    /// The file is not text.
    #[error("{path} is not UTF-8", path = path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// The file is no YAML object of keys and values.
    #[error("{}: {why}", at(path, line))]
    NotYaml {
        /// The file.
        path: PathBuf,
        /// The line, if the parser knows it.
        line: Option<u32>,
        /// The parser's words.
        why: String,
    },
    /// A `-c` without an equals sign or with an empty key.
    #[error("-c {given}: not of the form key=value")]
    NotAssignment {
        /// What was given.
        given: String,
    },
    /// A value does not have the form of its key.
    #[error("{place}: {error}")]
    Value {
        /// Where it was set.
        place: Place,
        /// Key, value, and what is accepted.
        error: ConfError,
    },
}

fn at(path: &Path, line: &Option<u32>) -> String {
    match line {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    }
}

/// All that is wrong with one layer, at least one thing.
#[derive(Debug)]
pub struct LayerErrors(pub Vec<LayerError>);

impl fmt::Display for LayerErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

impl std::error::Error for LayerErrors {}

impl From<LayerError> for LayerErrors {
    fn from(error: LayerError) -> Self {
        Self(vec![error])
    }
}

/// The conf that results from all layers that were read; read them lowest first.
///
/// A layer that is refused leaves the conf as it was.
#[derive(Clone, Debug, Default)]
pub struct Layered {
    /// What was set for each key, the highest layer last; never an empty list.
    set: BTreeMap<String, Vec<Setting>>,
    warnings: Vec<(Place, ConfWarning)>,
}

impl Layered {
    /// A conf of defaults alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file of keys over what there is.
    ///
    /// # Errors
    /// A file that cannot be read, is no YAML, or has values of a wrong form: all of them.
    pub fn read_file(&mut self, path: &Path) -> Result<(), LayerErrors> {
        let text = yaml::read_file(path)?;
        self.read_yaml(path, &text)
    }

    /// Reads the text of a file over what there is; `path` is only told.
    ///
    /// # Errors
    /// As [`read_file`](Self::read_file).
    pub fn read_yaml(&mut self, path: &Path, text: &str) -> Result<(), LayerErrors> {
        let place = |line| Place::File { path: path.to_owned(), line };
        let keys = yaml::parse(path, text)?;
        self.lay(keys.into_iter().map(|(key, (value, line))| (key, value, place(line))))
    }

    /// Sets a key as `-c key=value` does: the value is JSON, else a text, as in Storm.
    ///
    /// # Errors
    /// What is no assignment, and a value of a wrong form.
    pub fn assign(&mut self, assignment: &str) -> Result<(), LayerErrors> {
        let parts = assignment.split_once('=').map(|(key, value)| (key.trim(), value));
        let Some((key, text)) = parts.filter(|(key, _)| !key.is_empty()) else {
            return Err(LayerError::NotAssignment { given: assignment.to_owned() }.into());
        };
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        self.lay([(key.to_owned(), value, Place::CommandLine)])
    }

    /// Sets what a topology sets for itself, the highest layer.
    ///
    /// # Errors
    /// All values of a wrong form.
    pub fn topology(&mut self, set: Map<String, Value>) -> Result<(), LayerErrors> {
        self.lay(set.into_iter().map(|(key, value)| (key, value, Place::Topology)))
    }

    fn lay(
        &mut self,
        layer: impl IntoIterator<Item = (String, Value, Place)>,
    ) -> Result<(), LayerErrors> {
        let mut laid = Vec::new();
        let mut errors = Vec::new();
        for (key, value, place) in layer {
            match keys::find(&key).map_or(Ok(()), |known| check(known, &value)) {
                Ok(()) => laid.push((key, Setting { value, place })),
                Err(error) => errors.push(LayerError::Value { place, error }),
            }
        }
        if !errors.is_empty() {
            return Err(LayerErrors(errors));
        }
        for (key, setting) in laid {
            let warning = warning(&key, &setting.place);
            self.warnings.extend(warning.map(|warning| (setting.place.clone(), warning)));
            self.set.entry(key).or_default().push(setting);
        }
        Ok(())
    }

    /// What counts for a key: set by the highest layer, else its default, else nothing.
    pub fn get(&self, key: impl AsRef<str>) -> Option<Setting> {
        let key = key.as_ref();
        let set = self.set.get(key).and_then(|layers| layers.last());
        set.filter(|setting| !setting.value.is_null()).cloned().or_else(|| {
            let value = keys::find(key)?.default.to_value()?;
            Some(Setting { value, place: Place::Default })
        })
    }

    /// What was set for a key by each layer, the one that counts last; defaults are not seen here.
    pub fn layers(&self, key: impl AsRef<str>) -> &[Setting] {
        self.set.get(key.as_ref()).map_or(&[], Vec::as_slice)
    }

    /// Every key that is set or has a default, sorted by name, with what counts for it.
    pub fn all(&self) -> BTreeMap<String, Setting> {
        let known = keys::all().map(|key| key.name.to_owned());
        let names = known.chain(self.set.keys().cloned());
        names.filter_map(|name| self.get(&name).map(|setting| (name, setting))).collect()
    }

    /// Everything that was set, defaults left out: what a [`Reader`] reads.
    pub fn to_map(&self) -> Map<String, Value> {
        let last = |layers: &Vec<Setting>| layers.last().map(|setting| setting.value.clone());
        self.set.iter().filter_map(|(key, layers)| Some((key.clone(), last(layers)?))).collect()
    }

    /// A reader of single values in the form that the table says.
    pub fn reader(&self) -> Reader<'static> {
        Reader::owned(self.to_map())
    }

    /// What is legal and probably not meant, with the place where it stands.
    pub fn warnings(&self) -> &[(Place, ConfWarning)] {
        &self.warnings
    }
}

fn warning(key: &str, place: &Place) -> Option<ConfWarning> {
    if let Some(known) = keys::find(key) {
        let from_topology = *place == Place::Topology && known.scope == Scope::Cluster;
        return from_topology.then_some(ConfWarning::NotPerTopology { key: known.name });
    }
    if keys::is_known(key) {
        return None;
    }
    match nearest::known_key(key) {
        Some(nearest) => Some(ConfWarning::Misspelt { key: key.to_owned(), nearest }),
        None if keys::is_in_storms_namespace(key) => {
            Some(ConfWarning::Unknown { key: key.to_owned() })
        }
        None => None,
    }
}

/// The `storm.yaml` that counts: in the folder that was named, else in `~/.storm`, else none.
pub fn find_storm_yaml(conf_dir: Option<&Path>, home: Option<&Path>) -> Option<PathBuf> {
    let named = conf_dir.map(|dir| dir.join(STORM_YAML));
    let own = home.map(|home| home.join(".storm").join(STORM_YAML));
    named.into_iter().chain(own).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn path() -> &'static Path {
        Path::new("conf/storm.yaml")
    }

    #[track_caller]
    fn check_refused(text: &str, told: &[&str]) {
        let mut conf = Layered::new();
        let errors = conf.read_yaml(path(), text).expect_err("refused");
        let texts: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), told.len(), "{texts:#?}");
        for (text, part) in texts.iter().zip(told) {
            assert!(text.contains(part), "{text} has no {part}");
            assert_eq!(text.lines().count(), 1);
        }
        assert!(conf.to_map().is_empty(), "a layer that is refused leaves nothing");
    }

    #[test]
    fn the_highest_layer_counts_and_each_value_knows_its_place() {
        let mut conf = Layered::new();
        conf.read_yaml(path(), "# mine\nui.port: 1\nnimbus.thrift.port: 2\ndrpc.port: 3\n")
            .unwrap();
        conf.read_yaml(Path::new("more.yaml"), "nimbus.thrift.port: 4\ndrpc.port: 5\n").unwrap();
        conf.assign("drpc.port=6").unwrap();
        let topology = json!({"topology.workers": 7});
        conf.topology(topology.as_object().unwrap().clone()).unwrap();

        let told = |key: &str| {
            let setting = conf.get(key).unwrap();
            format!("{} {}", setting.value, setting.place)
        };
        assert_eq!(told("drpc.invocations.port"), "3773 default");
        assert_eq!(told("ui.port"), "1 conf/storm.yaml:2");
        assert_eq!(told("nimbus.thrift.port"), "4 more.yaml:1");
        assert_eq!(told("drpc.port"), "6 -c");
        assert_eq!(told("topology.workers"), "7 topology");
        assert_eq!(conf.layers("drpc.port").len(), 3);
        assert_eq!(conf.reader().port(&keys::DRPC_PORT), 6);
    }

    #[test]
    fn null_in_a_higher_layer_gives_the_default_back() {
        let mut conf = Layered::new();
        conf.read_yaml(path(), "ui.port: 1").unwrap();
        conf.assign("ui.port=null").unwrap();
        assert_eq!(conf.get("ui.port").unwrap().value, 8080);
        assert_eq!(conf.reader().port(&keys::UI_PORT), 8080);
    }

    #[test]
    fn an_assignment_is_json_or_else_a_text() {
        let mut conf = Layered::new();
        for (given, expected) in [
            ("a.b=1", json!(1)),
            ("a.b=[1, \"x\"]", json!([1, "x"])),
            ("a.b=true", json!(true)),
            ("a.b=plain text", json!("plain text")),
            ("a.b=x=y", json!("x=y")),
            ("a.b=", json!("")),
        ] {
            conf.assign(given).unwrap();
            assert_eq!(conf.get("a.b").unwrap().value, expected, "{given}");
        }
        for given in ["a.b", "=1", ""] {
            let told = conf.assign(given).expect_err(given).to_string();
            assert_eq!(told, format!("-c {given}: not of the form key=value"));
        }
    }

    #[test]
    fn wrong_values_are_told_all_at_once_with_file_line_and_unit() {
        check_refused(
            "nimbus.thrift.port: 70000\n\nsupervisor.slots.ports: [1, 1]\nnimbus.monitor.freq.secs: often\n",
            &[
                "conf/storm.yaml:4: nimbus.monitor.freq.secs: found \"often\", accepted is an integer of seconds from 1",
                "conf/storm.yaml:1: nimbus.thrift.port: found 70000, which is out of range: accepted is a port from 1 to 65535",
                "conf/storm.yaml:3: supervisor.slots.ports: found [1,1], which is out of range: accepted is a list of ports",
            ],
        );
        let told = Layered::new().assign("nimbus.thrift.port=x").expect_err("refused").to_string();
        assert_eq!(told, "-c: nimbus.thrift.port: found \"x\", accepted is a port from 1 to 65535");
    }

    #[test]
    fn what_is_no_yaml_object_is_refused_in_one_line() {
        check_refused("a: [1, 2", &["conf/storm.yaml:"]);
        check_refused("a: 1\nb: 2\na: 3\n", &["conf/storm.yaml:3: "]);
        check_refused("- a\n- b\n", &["conf/storm.yaml:1: "]);
        check_refused(&"[".repeat(100_000), &["conf/storm.yaml:1: "]);
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
        check_refused(bomb, &["conf/storm.yaml:"]);
    }

    #[test]
    fn yaml_is_read_as_storm_reads_it() {
        let mut conf = Layered::new();
        conf.read_yaml(path(), "").unwrap();
        conf.read_yaml(path(), "# nothing but a comment\n").unwrap();
        conf.read_yaml(
            path(),
            "storm.zookeeper.servers:\n    - \"a\"\n    - b\ntopology.debug: yes\nnimbus.queue.size: 1_000\nui.host: ~\n",
        )
        .unwrap();
        assert_eq!(conf.get("storm.zookeeper.servers").unwrap().value, json!(["a", "b"]));
        assert_eq!(conf.get("topology.debug").unwrap().value, json!(true));
        assert_eq!(conf.get("nimbus.queue.size").unwrap().value, json!(1000));
        assert_eq!(conf.get("ui.host").unwrap().place, Place::Default);
    }

    #[test]
    fn slips_are_warned_about_and_own_keys_are_not() {
        let mut conf = Layered::new();
        let text = "nimbus.seds: [a]\nsupervisor.of.my.own.kind: 1\norders.max: 3\nnimbus.childopts: -Xmx1g\n";
        conf.read_yaml(path(), text).unwrap();
        let told: Vec<String> =
            conf.warnings().iter().map(|(place, warning)| format!("{place}: {warning}")).collect();
        assert_eq!(
            told,
            [
                "conf/storm.yaml:1: nimbus.seds is not a known key: did you mean nimbus.seeds?",
                "conf/storm.yaml:2: supervisor.of.my.own.kind is not a known key: nothing reads it",
            ]
        );
    }

    #[test]
    fn a_topology_that_sets_a_key_of_the_cluster_is_warned() {
        let mut conf = Layered::new();
        conf.topology(json!({"nimbus.queue.size": 5}).as_object().unwrap().clone()).unwrap();
        assert_eq!(conf.warnings()[0].1, ConfWarning::NotPerTopology { key: "nimbus.queue.size" });
    }

    #[test]
    fn everything_that_counts_is_listed_by_name() {
        let mut conf = Layered::new();
        conf.assign("my.own=1").unwrap();
        let all = conf.all();
        assert_eq!(all["my.own"].value, 1);
        assert_eq!(all["nimbus.thrift.port"].place, Place::Default);
        assert!(
            !all.contains_key("storm.local.hostname"),
            "a key that is neither set nor defaulted"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let told = Layered::new().read_file(Path::new("/no/such.yaml")).expect_err("gone");
        assert!(told.to_string().starts_with("cannot read /no/such.yaml: "), "{told}");
        assert!(find_storm_yaml(Some(Path::new("/no")), None).is_none());
    }
}
