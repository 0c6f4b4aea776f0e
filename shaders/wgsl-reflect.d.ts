// wgsl_reflect's package.json has no `exports`: Node can import only the path of its ES module, which has no types.
declare module 'wgsl_reflect/wgsl_reflect.module.js' {
  export * from 'wgsl_reflect';
}
