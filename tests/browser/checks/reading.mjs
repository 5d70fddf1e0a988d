import { group } from "../land/checking.mjs";
import { fresh } from "../land/lives.mjs";
export default group("reading", fresh);
