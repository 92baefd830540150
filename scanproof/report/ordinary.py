"""Headings under which a copier list holds no secret, known by their words; whatever else heads a column may be one.

English, German, French and Spanish. A word that isn't here costs a column its values in the list given back, which the
customer has in his own file; a wrong one gives a password away. So no word is here that could stand over a password
alone, such as web, user, panel, access, default or data.
"""

from __future__ import annotations

import re
import unicodedata

from scanproof import headings

# Folded: no accents, small letters.
_HARMLESS = """
    a an and any all at by for from if in is of on or other per the to with yes y n j oui si ja nein non
    der die das des den dem fur im am und oder mit von bis zum zur le la les l de du d et ou en au aux el los las del y
    o no nos nr n° num number numbers nummer nummern numero numeros id ids ref reference referenz index count total sum
    qty quantity anzahl menge lfd laufende lfdnr pos position row line zeile item items article artikel art articles
    name names title type types typ kind class category kategorie categorie group gruppe tag tags label labels etikett
    note notes notiz notizen nota notas remark remarks remarque remarques comment comments commentaire commentaires
    comentario comentarios observacion observaciones bemerkung bemerkungen anmerkung anmerkungen kommentar kommentare
    hinweis hinweise info infos information informationen details description beschreibung descripcion
    status state zustand condition active aktiv etat estado enabled used usage use nutzung purpose zweck
    asset assets inventory inventar inventarnummer inventarnr inventarno anlagennummer anlagennr anlage inventaire
    inventario equipment equipo equipos geraet gerat gerate geraete device devices copier copiers printer printers mfp
    mfps mfd machine machines kopierer drucker imprimante copieur appareil impresora fotocopiadora
    serial serialnumber seriennummer seriennr sn pn part parts product produkt make model modell modele modelo
    manufacturer vendor brand hersteller marke marque marca speed ppm size format width height weight colour color
    colours farbe couleur mono black bw sw noir negro a3 a4 duplex sides
    location locations site sites building gebaude gebaeude haus house hausnummer floor etage stock stockwerk level room
    raum zimmer area areas zone region wing block flur trakt bereich campus street strasse road rue calle avenue city
    town stadt ort ville ciudad village plz zip postal postcode country land pays pais county plan map coordinates
    latitude longitude desk corridor gang standort lageplan raumnummer
    department departments dept abteilung abteilungen ward wards station unit units division team teams section
    organisation organization company firma customer kunde client cost costs centre center costcentre costcenter
    kostenstelle kst budget kosten school faculty practice clinic klinik office offices buro buero service servicio
    contact contacts contacto ansprechpartner kontakt person persons people responsible responsable verantwortlich
    verantwortlicher verantwortliche owner besitzer users operator manager leiter
    technician techniker engineer staff head phone telephone telefon telefono tel fax faxnummer mobile handy extension
    ext durchwahl nebenstelle mail mails email emails e absender sender recipient empfanger scan scans scanning scanner
    date dates datum fecha since seit until start starts begin beginn debut inicio end ends ende fin expiry expires
    ablauf due next last letzte letzter nachste nachster first year years jahr monat month months monthly day days week
    time age alter duration dauer duree
    lease leased leasing leasingende leasingbeginn leasingvertrag leasingnummer lessor contract contracts contrat
    contrato vertrag vertrage vertrags vertragsnummer vertragsnr vertragsende vertragsbeginn vertragspartner
    vertragslaufzeit laufzeit term warranty garantie garantia gewahrleistung purchase purchased kauf kaufdatum
    anschaffung anschaffungsdatum order bestellung bestellnummer invoice rechnung price preis prix precio rent miete
    supplier lieferant fournisseur proveedor dealer handler haendler support wartung wartungsvertrag
    maintenance mantenimiento sla partner provider visit repair reparatur fault faults
    installed installation installationsdatum install delivery delivered lieferung lieferdatum aufstellung
    aufstelldatum commissioned decommissioned retired replaced replacement replace ersatz moved move umzug swap
    inbetriebnahme baujahr
    counter counters meter meters reading zahler zahlerstand zaehlerstand compteur contador page pages seiten print
    prints printed copies kopien volume volumen toner paper papier tray trays fach facher finisher stapler staple
    options option optionen zubehor accessories accessory accessoires features feature ausstattung
    firmware version versions software fw build os release driver treiber
    mac macaddress macadresse macadress ip ipv4 ipv6 address addresses adresse hostname host dns gateway vlan subnet
    subnetz network netzwerk netz lan port ports switch patch patchfeld outlet dose socket jack netzwerkdose dhcp static
    statisch mask domain queue warteschlange server printserver ethernet cable kabel rack shelf wall wand
    priority prioritat priorite prioridad risk critical checked check confirmed tested test gepruft geprueft done
    erledigt ok result ergebnis migrated migration planned geplant todo scope
    old new alt neu neue neuer alte current previous former aktuell nouveau ancien nuevo antiguo
"""
# Where names_a_secret says nothing of them: "key operator", "cost code".
_WORDS = frozenset([*_HARMLESS.split(), "key", "keys", "code", "codes", "codigo"])


def folded(text: str) -> str:
    """Return a text in small letters without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    return "".join(character for character in plain if not unicodedata.combining(character))


def is_ordinary(heading: str) -> bool:
    """Tell whether all that a heading says is known to be harmless; ``names_a_secret`` is to be asked first."""
    whole = folded(heading).replace("#", " no ").replace("_", " ")
    if re.sub(r"\W", "", whole) in _WORDS:  # P/N, S/N, E-Mail
        return True
    parts = [part for part in re.split(r"[()\[\]{}/|,;:&+\n]", whole) if re.search(r"\w", part)]
    return any(re.search(r"[^\W\d]", part) for part in parts) and all(_known(part) for part in parts)


def _known(part: str) -> bool:
    words = re.findall(r"\w+", part)
    return headings.recognise(part) is not None or all(
        word in _WORDS or word.endswith(("code", "codes")) or word.isdigit() for word in words
    )
