/** What an envelope itself is at fault for, as "expected …, got …": it is not believed. */
export class Misfit extends Error {}
