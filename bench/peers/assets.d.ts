// Vite serves the imported file; the module exports its URL.
declare module '*?url' {
  const address: string;
  export default address;
}
