/** npm run docs: writes the pages that are made from tables. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { storedFigures } from '../test/golden/figures';
import { goldenPage } from '../test/golden/page';
import { settingsPage } from './settings-page';

const docs = join(__dirname, '..', 'docs');
writeFileSync(join(docs, 'settings.md'), settingsPage());
writeFileSync(join(docs, 'golden-table.md'), goldenPage(storedFigures()));
