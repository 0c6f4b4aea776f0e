// wgsl_reflect's package.json has no `exports`: in Node only the path of its ES module works, and that has no types.
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export * from 'wgsl_reflect';
}
