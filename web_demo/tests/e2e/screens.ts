import { photo, type Visit } from "./browser";

/** Every screen, and how to come to it from one that was agreed to: for the accessibility checks and the pictures. */
export interface Shown {
    name: string;
    go: (visit: Visit) => Promise<void>;
}

export const SCREENS: Shown[] = [
    { name: "home", go: (visit) => home(visit) },
    {
        name: "gallery-empty",
        go: async (visit) => {
            await visit.page.goto(`${visit.address}#/gallery`);
            await visit.heading("Nothing learned yet").waitFor();
        },
    },
    {
        name: "gallery",
        go: async (visit) => {
            await visit.learn(
                "portrait-0027_1.jpg",
                "portrait-0036_1.jpg",
                "portrait-0042_1.jpg",
                "no-dark.jpg",
                "no-face.jpg",
            );
        },
    },
    {
        name: "delete",
        go: async (visit) => {
            await visit.button("Delete everything").click();
            await visit.page.getByRole("alertdialog").waitFor();
        },
    },
    {
        name: "whose",
        go: async (visit) => {
            await visit.button("Cancel").click();
            await visit.give("Add photos", photo("ten.jpg"));
            await visit.page.getByRole("alertdialog", { name: "Who is it?" }).waitFor();
        },
    },
    {
        name: "alike",
        go: async (visit) => {
            await visit.page.getByRole("button", { name: "Face 3" }).click();
            await visit.page.getByRole("alertdialog", { name: "Is this one person?" }).waitFor();
        },
    },
    {
        name: "home-learned",
        go: async (visit) => {
            await visit.button("Learn from none").click();
            await home(visit);
        },
    },
    {
        name: "who",
        go: async (visit) => {
            await visit.give("Choose a photo", photo("ten.jpg"));
            await visit.heading("Whose face?").waitFor();
        },
    },
    { name: "result-face", go: (visit) => visit.restore("small.jpg") },
    { name: "result-photo", go: (visit) => visit.page.getByRole("radio", { name: "Photo", exact: true }).click() },
    { name: "result-why", go: (visit) => visit.page.getByRole("radio", { name: "Why", exact: true }).click() },
    {
        name: "about",
        go: async (visit) => {
            await visit.page.goto(`${visit.address}#/about`);
            await visit.page.getByText("32 to 128 pixels").waitFor();
        },
    },
    {
        name: "no-image",
        go: async (visit) => {
            await home(visit);
            await visit.give("Choose a photo", photo("no-image.jpg"));
            await visit.heading("This is no photo").waitFor();
        },
    },
    {
        name: "camera",
        go: async (visit) => {
            await visit.button("Back to the start").click();
            await visit.button("Take a photo").click();
            await visit.page.locator(".shutter:not([data-disabled])").waitFor();
        },
    },
];

async function home(visit: Visit): Promise<void> {
    await visit.page.goto(`${visit.address}#/`);
    await visit.heading(/Tiny face in/).waitFor();
}
