"""Describe the results of a run as an RO-Crate, for archives: https://www.researchobject.org/ro-crate."""

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safe_pit_cm.data import records, verification
from safe_pit_cm.data.records import Record
from safe_pit_cm.errors import UserError

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_PAPER = "https://arxiv.org/abs/2603.13280"


def _describe(crate: "ROCrate", known: dict[str, Record], results: Path) -> None:
    """Add every result, and an action for every job that made some."""
    from rocrate.model.contextentity import ContextEntity

    entities: dict[str, Any] = {}
    for path, record in known.items():
        own = Path(path).relative_to(records.RESULTS)
        add = crate.add_dataset if (results / own).is_dir() else crate.add_file
        facts = {"sha256": record.sha256, "contentSize": str(record.size)}
        entities[path] = add(results / own, own.as_posix(), properties=facts)
        records_file = f"{records.RECORDS}/{own}.json"
        crate.add_file(results / records_file, records_file, properties={"about": {"@id": entities[path].id}})
    made: dict[tuple[str, ...], list[str]] = {}
    for path, record in known.items():
        made.setdefault((record.rule, *record.wildcards.values()), []).append(path)
    for job, paths in made.items():
        record = known[paths[0]]
        code = f"#{record.rule}-{record.params.get('code', '')}"
        software = crate.get(code) or crate.add(
            ContextEntity(
                crate,
                code,
                properties={
                    "@type": "SoftwareApplication",
                    "name": f"rule {record.rule} of safe-pit-cm",
                    "softwareVersion": record.params.get("code", ""),
                    "softwareRequirements": [f"{name} {version}" for name, version in record.packages.items()],
                },
            )
        )
        crate.add(
            ContextEntity(
                crate,
                f"#job-{'-'.join(job)}",
                properties={
                    "@type": "CreateAction",
                    "name": " ".join(job),
                    "instrument": {"@id": software.id},
                    "object": [
                        {"@id": entities[source.path].id} for source in record.inputs if source.path in entities
                    ],
                    "result": [{"@id": entities[path].id} for path in paths],
                },
            )
        )


def write(results: str | Path, archive: str | Path | None = None) -> Path:
    """Check the results of a run, and describe them as an RO-Crate (Process Run Crate).

    Parameters
    ----------
    results
        The folder of results.
    archive
        A zip file to write with all results; without it, only ``ro-crate-metadata.json`` is written into the folder,
        which makes it a crate.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    UserError
        If the package ``rocrate`` is not installed, or a result is not what it should be.
    """
    try:
        from rocrate.model.contextentity import ContextEntity
        from rocrate.rocrate import ROCrate
    except ImportError:
        raise UserError(
            "the package rocrate is not installed; install it by: pip install 'safe-pit-cm[crate]'"
        ) from None
    results = Path(results)
    found = verification.verify(results)
    if found.problems:
        path, wrong = next(iter(found.problems.items()))
        raise UserError(f"{path} {wrong}; `safe-pit-cm verify {results}` lists all such results")
    known, _ = verification.load_all(results)
    crate = ROCrate()
    crate.name = "Results of safe-pit-cm"
    crate.description = f"Tables, figures and data of a run of the workflow safe-pit-cm, which reproduces {_PAPER}."
    crate.license = "https://spdx.org/licenses/MIT"
    profile = crate.add(
        ContextEntity(crate, _PROFILE, properties={"@type": "CreativeWork", "name": "Process Run Crate"})
    )
    crate.root_dataset["conformsTo"] = profile
    crate.root_dataset["version"] = metadata.version("safe-pit-cm")
    crate.root_dataset["citation"] = {"@id": _PAPER}
    _describe(crate, known, results)
    if archive is not None:
        crate.write_zip(archive)
        return Path(archive)
    crate.metadata.write(results)
    return results / verification.CRATE
