//! What is built once for a whole class: dependencies, hidden tests, probes, and how to call
//! rustc for a submission.
//!
//! Cargo builds here, from the course's own sources only. A submission never meets cargo: it is
//! compiled by rustc directly, against the copies kept in the kit's folder. The reference
//! solution and the hidden tests are not in what the box of a build can see.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use authoring::lab::{self, Lab, LabError};
use cargo_metadata::{DependencyKind, Message, Metadata, MetadataCommand, PackageId};
use model::Rubric;

use crate::digest::Digest;
use crate::{SourceTree, Stop, Stopped};

/// A course repository and its labs in teaching order.
#[derive(Clone, Debug)]
pub struct Course {
    /// The repository's root.
    pub root: PathBuf,
    /// Its labs.
    pub labs: Vec<Lab>,
    /// Ends what is running for it, from cargo to the programs of a test.
    pub stop: Stop,
}

/// All that is needed to build and judge submissions of one lab.
#[derive(Clone, Debug)]
pub struct Kit {
    /// The lab.
    pub lab: Lab,
    /// Its rubric, as its verdict program states it.
    pub rubric: Rubric,
    /// Digest of everything that can change a verdict except the submission.
    pub digest: String,
    /// Source files that are given: they replace a submission's files of the same name.
    pub given: SourceTree,
    /// The stub of every editable file, as published.
    pub stub: SourceTree,
    /// The probe's source.
    pub(crate) probe: Vec<u8>,
    /// For a lab with a part that is tried in every order of memory.
    pub(crate) orders: Option<Orders>,
    /// Folder of compiled dependencies: all that a build may see of us.
    pub(crate) deps: PathBuf,
    /// File names in `deps` of the crates that the lab, or its probe, may name.
    pub(crate) externs: BTreeMap<String, String>,
    /// The verdict program.
    pub(crate) verdict_program: PathBuf,
    /// The toolchain's own folder.
    pub(crate) sysroot: PathBuf,
    /// The course's repository.
    pub(crate) root: PathBuf,
    /// The course's switch.
    pub(crate) stop: Stop,
}

/// How a submission's library is built a second time, on loom: a program that tries it in every
/// order that the memory model allows.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    /// The program's source.
    pub(crate) main: Vec<u8>,
    /// Files that take the place of given ones of the same name.
    pub(crate) replaced: SourceTree,
    /// The file name of loom in the folder of dependencies.
    pub(crate) loom: String,
}

/// Why the course itself is not ready to grade: a mistake of the staff's, never of a student's.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// The labs cannot be discovered.
    #[error(transparent)]
    Labs(#[from] LabError),
    /// Cargo could not be asked for the course's packages.
    #[error("cannot read the course's packages: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// Cargo could not build.
    #[error("building dependencies and hidden tests failed (see cargo's words above)")]
    Cargo,
    /// It was asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// Something that cargo should have built is missing.
    #[error("cargo did not build {0}")]
    NotBuilt(String),
    /// The verdict program does not state its rubric.
    #[error("the hidden tests of {lab} do not state their rubric: {reason}")]
    Rubric {
        /// The lab.
        lab: String,
        /// What it said instead.
        reason: String,
    },
    /// No hidden test of these labs has this id.
    #[error("no hidden test is called {id}; there are {known}")]
    UnknownTest {
        /// What was asked for.
        id: String,
        /// The ids there are.
        known: String,
    },
    /// A file of the course cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        error: std::io::Error,
    },
}

pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> KitError {
    let path = path.to_owned();
    move |error| KitError::File { path, error }
}

impl Course {
    /// The course in the repository at `root`.
    ///
    /// # Errors
    /// If a lab's folder is incomplete.
    pub fn open(root: &Path) -> Result<Self, KitError> {
        Ok(Self {
            root: root.to_owned(),
            labs: lab::discover(root)?,
            stop: Stop::default(),
        })
    }

    /// The labs named, or all of them.
    ///
    /// # Errors
    /// If there is no lab of a name.
    pub fn select(&self, names: &[String]) -> Result<Vec<Lab>, KitError> {
        if names.is_empty() {
            return Ok(self.labs.clone());
        }
        for name in names {
            lab::named(&self.labs, name)?;
        }
        Ok(self
            .labs
            .iter()
            .filter(|lab| names.contains(&lab.name))
            .cloned()
            .collect())
    }

    /// Builds what grading these labs needs, and gathers it.
    ///
    /// # Errors
    /// If anything of the course does not build or is missing.
    pub fn kits(&self, labs: &[Lab]) -> Result<Vec<Kit>, KitError> {
        let metadata = MetadataCommand::new()
            .current_dir(&self.root)
            .other_options(["--locked".to_owned()])
            .exec()?;
        let built = Built::by_cargo(&self.root, labs, &self.stop)?;
        let (sysroot, version) = toolchain(&self.root)?;
        labs.iter()
            .map(|lab| self.kit(lab, &metadata, &built, &sysroot, &version))
            .collect()
    }

    fn kit(
        &self,
        lab: &Lab,
        metadata: &Metadata,
        built: &Built,
        sysroot: &Path,
        version: &str,
    ) -> Result<Kit, KitError> {
        let name = &lab.name;
        let verdict_program = built.program(&format!("{name}-tests"))?;
        let probe_file = self
            .root
            .join("grader/labs")
            .join(name)
            .join("probe/src/main.rs");
        let probe = std::fs::read(&probe_file).map_err(at(&probe_file))?;
        let (mut stub, mut given) = (
            read_sources(&self.root.join("labs").join(name))?,
            SourceTree::new(),
        );
        for (file, bytes) in stub.clone() {
            if !lab.editable.contains(&file) {
                given.insert(file.clone(), bytes);
                stub.remove(&file);
            }
        }

        // The solution's own dependencies are the lab's; `probe` serves the probe.
        let own = [format!("{name}-solution"), format!("{name}-orders")];
        let packages = closure(metadata, &[&own[0], "probe", &own[1]])?;
        let mut digest = Digest::default();
        let mut rlibs = BTreeMap::new();
        for (package, id) in &packages {
            if own.contains(package) {
                continue;
            }
            // The graph is that of the whole workspace: it may name what only others switch on.
            let Some(rlib) = built.rlib(id) else {
                continue;
            };
            rlibs.insert(package.clone(), rlib.clone());
            digest.add("dependency", file_name(&rlib).as_bytes());
        }
        digest.add(
            "tests",
            &std::fs::read(&verdict_program).map_err(at(&verdict_program))?,
        );
        digest
            .add("probe", &probe)
            .add("toolchain", version.as_bytes());
        for (file, bytes) in &given {
            digest.add(file, bytes);
        }
        let mut named = lab.dependencies.iter().map(String::as_str).chain(["probe"]);
        if let Some(missing) = named.find(|&package| !rlibs.contains_key(package)) {
            return Err(KitError::NotBuilt(missing.to_owned()));
        }
        let orders = self.orders(name, &rlibs)?;
        if let Some(orders) = &orders {
            digest.add("orders", &orders.main);
            for (file, bytes) in &orders.replaced {
                digest.add(file, bytes);
            }
        }
        let digest = digest.finish();

        let folder = self
            .root
            .join("target/kits")
            .join(format!("{name}-{}", &digest[..16]));
        let deps = folder.join("deps");
        std::fs::create_dir_all(&deps).map_err(at(&deps))?;
        for rlib in rlibs.values() {
            copy_whole(rlib, &deps.join(file_name(rlib)))?;
        }
        let kept_program = folder.join("verdict");
        copy_whole(&verdict_program, &kept_program)?;
        let nameable =
            |package: &str| package == "probe" || lab.dependencies.iter().any(|d| d == package);
        Ok(Kit {
            lab: lab.clone(),
            rubric: rubric(name, &kept_program)?,
            digest,
            given,
            stub,
            probe,
            orders,
            deps,
            externs: rlibs
                .iter()
                .filter(|(package, _)| nameable(package))
                .map(|(package, rlib)| (package.replace('-', "_"), file_name(rlib)))
                .collect(),
            verdict_program: kept_program,
            sysroot: sysroot.to_owned(),
            root: self.root.clone(),
            stop: self.stop.clone(),
        })
    }

    fn orders(
        &self,
        lab: &str,
        rlibs: &BTreeMap<String, PathBuf>,
    ) -> Result<Option<Orders>, KitError> {
        let folder = orders_folder(&self.root, lab);
        if !folder.exists() {
            return Ok(None);
        }
        let mut replaced = read_sources(&folder)?;
        let missing = |what: &str| KitError::NotBuilt(format!("{lab}-orders: {what}"));
        let main = replaced.remove("src/main.rs");
        Ok(Some(Orders {
            main: main.ok_or_else(|| missing("src/main.rs"))?,
            replaced,
            loom: file_name(rlibs.get("loom").ok_or_else(|| missing("loom"))?),
        }))
    }
}

fn orders_folder(root: &Path, lab: &str) -> PathBuf {
    root.join("grader/labs").join(lab).join("orders")
}

/// Whether each of these ids is one of the kits' hidden tests. A run of no test at all would look
/// like a submission without a single point.
pub(crate) fn check_tests(kits: &[Kit], ids: &[String]) -> Result<(), KitError> {
    let rows = || kits.iter().flat_map(|kit| &kit.rubric.rows);
    for id in ids {
        if !rows().any(|row| row.id == *id) {
            let known: Vec<&str> = rows().map(|row| row.id.as_str()).collect();
            return Err(KitError::UnknownTest {
                id: id.clone(),
                known: known.join(", "),
            });
        }
    }
    Ok(())
}

/// What cargo built, by package.
struct Built {
    rlibs: BTreeMap<PackageId, PathBuf>,
    programs: BTreeMap<String, PathBuf>,
}

impl Built {
    fn by_cargo(root: &Path, labs: &[Lab], stop: &Stop) -> Result<Self, KitError> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(root).args([
            "build",
            "--profile",
            "grade",
            "--locked",
            "--package",
            "probe",
        ]);
        cargo.arg("--message-format=json-render-diagnostics");
        for lab in labs {
            cargo.args(["--package", &format!("{}-solution", lab.name)]);
            cargo.args(["--package", &format!("{}-tests", lab.name)]);
            if orders_folder(root, &lab.name).exists() {
                cargo.args(["--package", &format!("{}-orders", lab.name)]);
            }
        }
        cargo.stdin(Stdio::null()).stdout(Stdio::piped());
        stop.check()?;
        let mut running = stop
            .start_group(&mut cargo)
            .map_err(at(Path::new("cargo")))?;
        let stdout = running.child.stdout.take().expect("stdout is piped");
        let mut built = Self {
            rlibs: BTreeMap::new(),
            programs: BTreeMap::new(),
        };
        for message in Message::parse_stream(BufReader::new(stdout)) {
            let Ok(Message::CompilerArtifact(artifact)) = message else {
                continue;
            };
            if let Some(program) = artifact.executable {
                built.programs.insert(artifact.target.name, program.into());
            } else if let Some(rlib) = artifact
                .filenames
                .iter()
                .find(|file| file.extension() == Some("rlib"))
            {
                built.rlibs.insert(artifact.package_id, rlib.into());
            }
        }
        let ended = running.wait();
        stop.check()?;
        match ended {
            Ok(status) if status.success() => Ok(built),
            _ => Err(KitError::Cargo),
        }
    }

    fn rlib(&self, package: &PackageId) -> Option<PathBuf> {
        self.rlibs.get(package).cloned()
    }

    fn program(&self, name: &str) -> Result<PathBuf, KitError> {
        self.programs
            .get(name)
            .cloned()
            .ok_or_else(|| KitError::NotBuilt(name.to_owned()))
    }
}

/// The packages that `roots` are compiled with, themselves included.
fn closure<'a>(
    metadata: &'a Metadata,
    roots: &[&str],
) -> Result<BTreeSet<(String, &'a PackageId)>, KitError> {
    let missing = || KitError::NotBuilt("the dependency graph".into());
    let resolve = metadata.resolve.as_ref().ok_or_else(missing)?;
    let is_root = |name: &str| roots.contains(&name);
    let mut queue: VecDeque<&PackageId> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| is_root(package.name.as_str()))
        .map(|package| &package.id)
        .collect();
    let mut packages = BTreeSet::new();
    while let Some(id) = queue.pop_front() {
        if !packages.insert((metadata[id].name.to_string(), id)) {
            continue;
        }
        let node = resolve
            .nodes
            .iter()
            .find(|node| node.id == *id)
            .ok_or_else(missing)?;
        let normal = node.deps.iter().filter(|dependency| {
            dependency
                .dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal)
        });
        queue.extend(normal.map(|dependency| &dependency.pkg));
    }
    Ok(packages)
}

/// The pinned toolchain's folder and version, asked of the rustc that cargo uses.
/// The toolchain's own folder, and its version.
pub(crate) fn toolchain(root: &Path) -> Result<(PathBuf, String), KitError> {
    let ask = |args: &[&str]| -> Result<String, KitError> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(&rustc)
            .current_dir(root)
            .args(args)
            .output()
            .map_err(at(Path::new(&rustc)))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    Ok((ask(&["--print", "sysroot"])?.into(), ask(&["-vV"])?))
}

fn rubric(lab: &str, verdict_program: &Path) -> Result<Rubric, KitError> {
    let failed = |reason: String| KitError::Rubric {
        lab: lab.to_owned(),
        reason,
    };
    let output = Command::new(verdict_program)
        .arg("--rubric")
        .stdin(Stdio::null())
        .output()
        .map_err(at(verdict_program))?;
    serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))
}

/// All `src/*.rs` below a folder, by their path below it.
pub(crate) fn read_sources(folder: &Path) -> Result<SourceTree, KitError> {
    let src = folder.join("src");
    let mut tree = SourceTree::new();
    for entry in std::fs::read_dir(&src).map_err(at(&src))? {
        let path = entry.map_err(at(&src))?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let bytes = std::fs::read(&path).map_err(at(&path))?;
            tree.insert(format!("src/{}", file_name(&path)), bytes);
        }
    }
    Ok(tree)
}

/// Copies so that nobody ever sees half a file: another grader may do the same right now.
fn copy_whole(from: &Path, to: &Path) -> Result<(), KitError> {
    if to.exists() {
        return Ok(()); // its folder is named by the digest of what it holds
    }
    let partial = to.with_extension(format!("partial-{}", std::process::id()));
    std::fs::copy(from, &partial).map_err(at(from))?;
    std::fs::rename(&partial, to).map_err(at(to))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
