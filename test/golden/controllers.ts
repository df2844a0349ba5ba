/** Names of the congestion controls that the table has. */
export const CONTROLLERS: readonly string[] = ['reno', 'cubic'];
