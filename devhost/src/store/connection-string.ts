/** The table SDK does not know this abbreviation for Azurite on its default ports. */
export function connectionString(setting: string): string {
  if (!/^UseDevelopmentStorage=true;?$/i.test(setting.trim())) return setting;
  const key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
  const at = (port: number) => `http://127.0.0.1:${port}/devstoreaccount1`;
  return `DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=${key};BlobEndpoint=${at(10000)};QueueEndpoint=${at(10001)};TableEndpoint=${at(10002)};`;
}
