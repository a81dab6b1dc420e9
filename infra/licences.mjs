import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Under which licences others' packages may be here, and what whoever hands them out gives with them. `node infra/licences.mjs` lists the
 * licences of all packages but those for development, and fails on one that nobody has agreed to.
 */
const ROOT = path.resolve(import.meta.dirname, '..');
/** All ask for no more than their own text beside the copy. */
const AGREED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'LicenseRef-public-domain',
  'MIT',
  'Zlib',
]);
/** A program of its own and a library that is loaded may be under these: nothing of them becomes part of our programs. */
const AGREED_FOR_BINARIES = new Set([...AGREED, 'GPL-3.0-only', 'LGPL-2.1-only', 'LGPL-3.0-or-later']);
const BINARIES = /^@(ffmpeg-installer|ffprobe-installer|img)\//;
/** What packages mean that say it in other words, or only in the file LICENSE. */
const MEANT = {
  GPLv3: 'GPL-3.0-only',
  'GPL-3.0': 'GPL-3.0-only',
  'LGPL-2.1': 'LGPL-2.1-only',
  'https://git.ffmpeg.org/gitweb/ffmpeg.git/blob_plain/HEAD:/LICENSE.md': 'LGPL-2.1-only',
  'http://geraintluff.github.io/tv4/LICENSE.txt': 'LicenseRef-public-domain',
};
const MEANT_BY = { 'exif-parser': 'MIT' };

const nameOf = (place) => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);

/** The licence of a package by its place and entry in package-lock.json, as an SPDX expression; undefined when it names none. */
export const licenceOf = (place, { license }) =>
  license === undefined ? MEANT_BY[nameOf(place)] : (MEANT[license] ?? license);

function isAgreed(place, licence) {
  const agreed = BINARIES.test(nameOf(place)) ? AGREED_FOR_BINARIES : AGREED;
  return licence
    .replaceAll(/[()]/g, '')
    .split(' AND ')
    .every((part) => part.split(' OR ').some((one) => agreed.has(one)));
}

/** A sentence for every package of package-lock.json that is not for development only and has a licence nobody has agreed to. */
export function problemsOf(packages) {
  return ofOthers(packages).flatMap(([place, entry]) => {
    const licence = licenceOf(place, entry);
    if (licence === undefined) return [`${nameOf(place)} ${entry.version} names no licence.`];
    if (isAgreed(place, licence)) return [];
    return [`${nameOf(place)} ${entry.version} is under ${licence}, which is not among the licences agreed to.`];
  });
}

const ofOthers = (packages) =>
  Object.entries(packages).filter(([place, { dev, link }]) => place.includes('node_modules/') && !dev && !link);

/** Places of the packages that a program of esbuild is made of. */
export const placesIn = ({ inputs }) =>
  Object.keys(inputs).flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);

/**
 * Writes into `target` what a package or an image has to bring with it: THIRD-PARTY-NOTICES.txt, the texts of the licences; sbom.spdx.json,
 * the list of its npm packages as SPDX 2.3, those that are packed into programs included. Both are the same whenever the packages are.
 */
export function writeNotices(target, title, places) {
  const all = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')).packages;
  // Several packages may have their own copy of the same one.
  const listed = new Map(places.map((place) => [`${nameOf(place)}@${all[place].version}`, place]));
  const packages = [...listed]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([, place]) => {
      const { [place]: entry } = all;
      return { place, name: nameOf(place), licence: licenceOf(place, entry) ?? 'NOASSERTION', ...entry };
    });
  const texts = packages.map(({ place, name, version, licence }) => {
    const line = '-'.repeat(80);
    return [line, `${name} ${version} (${licence})`, line, '', ...licenceTexts(target, place)].join('\n');
  });
  const intro = `The ${title} contains these npm packages. Those under the GPL and the LGPL are programs and libraries of their own; the homepage in their package.json is where their source is.`;
  writeFileSync(path.join(target, 'THIRD-PARTY-NOTICES.txt'), [intro, '', ...texts].join('\n'));
  writeFileSync(
    path.join(target, 'sbom.spdx.json'),
    `${JSON.stringify(billOf(title, all[''].version, packages), undefined, 2)}\n`,
  );
}

function licenceTexts(target, place) {
  const folder = [ROOT, target].map((root) => path.join(root, place)).find((candidate) => existsSync(candidate));
  if (folder === undefined) return [];
  return readdirSync(folder)
    .filter((name) => /^(licen[cs]e|notice|copying)/i.test(name) && /(^[^.]+|\.(md|txt|mit))$/i.test(name))
    .map((name) => `${readFileSync(path.join(folder, name), 'utf8').trim()}\n`);
}

/** https://spdx.github.io/spdx-spec/v2.3/ */
function billOf(title, version, packages) {
  const shared = { downloadLocation: 'NOASSERTION', filesAnalyzed: false, copyrightText: 'NOASSERTION' };
  const listed = packages.map(({ name, version: versionInfo, licence, integrity = '' }, index) => ({
    SPDXID: `SPDXRef-${index + 1}`,
    name,
    versionInfo,
    ...shared,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licence,
    checksums: [{ algorithm: 'SHA512', checksumValue: Buffer.from(integrity.slice(7), 'base64').toString('hex') }],
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: `pkg:npm/${name.replace('@', '%40')}@${versionInfo}`,
      },
    ],
  }));
  const hash = createHash('sha256').update(JSON.stringify(listed)).digest('hex');
  const own = { SPDXID: 'SPDXRef-0', name: title, versionInfo: version, ...shared, licenseDeclared: 'MIT' };
  const related = (from, relationshipType, to) => ({
    spdxElementId: from,
    relationshipType,
    relatedSpdxElement: to,
  });
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${title} ${version}`,
    documentNamespace: `https://spdx.org/spdxdocs/${encodeURIComponent(title)}-${version}-${hash}`,
    // The format asks for a time; the real one would make two packages of the same files differ.
    creationInfo: { created: '1970-01-01T00:00:00Z', creators: ['Tool: infra/licences.mjs'] },
    packages: [{ ...own, licenseConcluded: 'MIT' }, ...listed],
    relationships: [
      related('SPDXRef-DOCUMENT', 'DESCRIBES', own.SPDXID),
      ...listed.map(({ SPDXID }) => related(own.SPDXID, 'CONTAINS', SPDXID)),
    ],
  };
}

if (process.argv[1] === import.meta.filename) {
  const { packages } = JSON.parse(readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8'));
  const byLicence = new Map();
  for (const [place, entry] of ofOthers(packages)) {
    const licence = licenceOf(place, entry) ?? 'none that it names';
    byLicence.set(licence, [...(byLicence.get(licence) ?? []), `${nameOf(place)} ${entry.version}`]);
  }
  for (const [licence, names] of [...byLicence].toSorted(([one], [other]) => (one < other ? -1 : 1)))
    console.log(`${licence}: ${names.join(', ')}`);
  const problems = problemsOf(packages);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
