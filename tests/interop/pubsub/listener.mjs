/** What a subscription says, kept in order, and waited for. */

/** Its `heard` is the callback to give to the client. */
export class Listener {
  #said = [];
  #waiting = [];

  heard = (info, type, data) => {
    // The client goes on changing the info.
    this.#said.push({ info: { ...info }, type, data });
    this.#waiting = this.#waiting.filter((look) => !look());
  };

  /** Waits until so many of a type were said; returns what was said with them. An error that comes instead is thrown. */
  async said(type, count = 1) {
    const found = (wanted) => this.#said.filter((each) => each.type === wanted);
    await new Promise((resolve, reject) => {
      const look = () => {
        const [error] = type === "error" ? [] : found("error");
        if (error) reject(error.data);
        else if (found(type).length >= count) resolve();
        else return false;
        return true;
      };
      if (!look()) this.#waiting.push(look);
    });
    return found(type).map(({ data, info }) => data ?? info);
  }

  /** Waits until the subscription stands: the server has said something. */
  async stands() {
    await this.said("grpcKeepAlive");
  }

  /** So many events. */
  events(count) {
    return this.said("event", count);
  }

  /** All events up to the first that is the last one wanted. */
  async eventsUpTo(isLast) {
    let told = [];
    while (!told.some(isLast)) told = await this.events(told.length + 1);
    return told.slice(0, told.findIndex(isLast) + 1);
  }

  /** How many of a type were said. */
  count(type) {
    return this.#said.filter((each) => each.type === type).length;
  }
}
