"""Write the root of the hash tree of all records, once every figure and table is there."""

from otosynth.jobs import logged
from otosynth.provenance.circumstances import SEALED, Circumstances, circumstances_hashes
from otosynth.provenance.places import CIRCUMSTANCES, places_of
from otosynth.provenance.tree import seal

with logged(snakemake.log[0]) as logger:
    circumstances = Circumstances()
    places = places_of(snakemake.config)
    root = seal(places, snakemake.input.results, snakemake.input.tables, snakemake.params.facts)
    path = places.results / CIRCUMSTANCES / SEALED
    circumstances.write(path, root, circumstances_hashes(path.parent))
    logger.info("The root of all records is %s", root)
