"""XMP packets that declare a picture or film synthetic and name what it was made from.

The properties are those of IPTC's Photo Metadata Standard 2025.1 and of Adobe's XMP specification,
part 1. The packet has no date, so that the same picture gives the same bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
GENERATED = SOURCE_TYPES + "trainedAlgorithmicMedia"
"""IPTC: "created using generative AI", by a model trained on captured content."""
COMPOSITE = SOURCE_TYPES + "compositeSynthetic"
"""IPTC: "mix or composite of several elements, at least one of which is Generative AI": a head over
a filmed background. Not compositeWithTrainedAlgorithmicMedia, which IPTC defines as the editing of
existing media, such as inpainting."""

NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
}
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
BEGIN = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
END = '<?xpacket end="r"?>'
MAX_TEXT = 4096  # characters of one property: every picture holds them all
# Compiled when it is first used, which takes 8 ms: Blender must start quickly.
NOT_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


@dataclass(frozen=True)
class Source:
    """An avatar. name, licence: text of its file. hash: the file's SHA-256, hexadecimal."""

    name: str
    hash: str
    licence: str


@dataclass(frozen=True)
class Origin:
    """source_type: GENERATED or COMPOSITE. sources: the avatars, at least one. program, version:
    what made the picture."""

    source_type: str
    sources: tuple[Source, ...]
    program: str
    version: str


def packet(origin: Origin) -> str:
    """The XMP packet. Characters that XML forbids are replaced, long texts cut."""
    root = ElementTree.Element("x:xmpmeta", {"xmlns:x": "adobe:ns:meta/"})
    rdf = ElementTree.SubElement(root, "rdf:RDF", {"xmlns:rdf": RDF})
    names = {f"xmlns:{prefix}": address for prefix, address in NAMESPACES.items()}
    about = ElementTree.SubElement(rdf, "rdf:Description", {"rdf:about": "", **names})
    _add(about, "Iptc4xmpExt:DigitalSourceType", origin.source_type)
    _add(about, "Iptc4xmpExt:AISystemUsed", origin.program)
    _add(about, "Iptc4xmpExt:AISystemVersionUsed", origin.version)
    _add(about, "xmp:CreatorTool", f"{origin.program} {origin.version}")
    _add(about, "dc:source", ", ".join(source.name for source in origin.sources))
    bag = _list(about, "xmpMM:Ingredients", "rdf:Bag")
    for source in origin.sources:
        used = ElementTree.SubElement(bag, "rdf:li", {"rdf:parseType": "Resource"})
        _add(used, "stRef:documentID", f"sha256:{source.hash}")
    licences = dict.fromkeys(source.licence for source in origin.sources if source.licence)
    if licences:
        terms = _list(about, "xmpRights:UsageTerms", "rdf:Alt")
        item = ElementTree.SubElement(terms, "rdf:li", {"xml:lang": "x-default"})
        item.text = _text("\n".join(licences))
    ElementTree.indent(root, " ")
    return "\n".join([BEGIN, ElementTree.tostring(root, "unicode"), END])


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = _text(text)


def _list(parent: ElementTree.Element, name: str, kind: str) -> ElementTree.Element:
    """An empty list property."""
    return ElementTree.SubElement(ElementTree.SubElement(parent, name), kind)


def _text(text: str) -> str:
    known = re.sub(NOT_XML, "\ufffd", text)
    return known if len(known) <= MAX_TEXT else known[: MAX_TEXT - 1] + "…"
